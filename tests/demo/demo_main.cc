// The demonstration node of `make run`: real filesystems laid out as a kubelet lays them out, a
// stand-in for the API server that knows their names, and an agent on them. Ctrl-C removes it all.
#include <fcntl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <map>
#include <memory>
#include <thread>
#include <vector>

#include "support/agent.h"
#include "support/api_server.h"
#include "support/node.h"

namespace {

using namespace volumeter::test;

volatile std::sig_atomic_t g_stop = 0;

constexpr std::uint64_t kMiB = 1 << 20;

void say(const std::string& text) {
  std::printf("%s\n", text.c_str());
  std::fflush(stdout);
}

struct Demo {
  Node node;
  ApiServer api;
  std::vector<std::unique_ptr<StallFs>> hung;
  std::vector<std::string> busy;  // directories that somebody reads and writes in
  void claim(const std::string& name, const std::string& volume, const std::string& storage,
             const std::string& mode = "Filesystem") {
    ClaimSpec spec;
    spec.namespace_ = "shop";
    spec.name = name;
    spec.volume = volume;
    spec.storage = storage;
    spec.mode = mode;
    spec.annotations_json = R"("volumeter.io/probe":"on")";
    put_claim(api, spec);
  }

  void stateful_set() {
    struct Member {
      const char* fstype;
      std::uint64_t size;
      const char* storage;
      double full;
    };
    const std::vector<Member> members = {{"ext4", 64 * kMiB, "64Mi", 0.35},
                                         {"xfs", 320 * kMiB, "320Mi", 0.85},
                                         {"ext4", 64 * kMiB, "64Mi", 0.93}};
    for (std::size_t i = 0; i < members.size(); ++i) {
      const std::string n = std::to_string(i);
      const std::string uid = "00000000-0000-4000-8000-00000000000" + n;
      const std::string volume = "pvc-demo-" + n;
      const std::string where = node.csi_dir(uid, volume);
      node.mount_image(node.image(members[i].fstype, members[i].size), members[i].fstype, where);
      fill(where, members[i].full);
      if (i < 2) busy.push_back(where);
      claim("data-orders-" + n, volume, members[i].storage);
      api.set_pod(
          uid, pod_json("shop", "orders-" + n, uid, claim_volume_json("data", "data-orders-" + n),
                        "StatefulSet", "orders"));
    }
  }

  void others() {
    const std::string uid = "00000000-0000-4000-8000-000000000010";
    const std::string cache = node.volume_dir(uid, "empty-dir", "cache");
    std::ofstream(cache + "/scratch") << std::string(1 << 20, 'x');
    const std::string shm = node.volume_dir(uid, "empty-dir", "shm");
    Node::mount("tmpfs", shm, "tmpfs", 0, "size=16m");
    fill(shm, 0.4);

    const std::string disk = attach_loop(node.image("", 48 * kMiB));
    node.block_volume(uid, "pvc-demo-block", disk);
    claim("raw", "pvc-demo-block", "48Mi", "Block");

    const std::string shared = node.directory() + "/export";
    make_directories(shared);
    Node::bind(shared, node.csi_dir(uid, "pvc-demo-shared"));
    claim("reports", "pvc-demo-shared", "1Gi");

    hung.push_back(std::make_unique<StallFs>(node.csi_dir(uid, "pvc-demo-hung")));
    claim("archive", "pvc-demo-hung", "100Gi");
    api.set_pod(
        uid,
        pod_json("shop", "web-5d9c7-x2x7k", uid,
                 R"({"name":"cache","emptyDir":{}},{"name":"shm","emptyDir":{"medium":"Memory",)"
                 R"("sizeLimit":"16Mi"}},)" +
                     claim_volume_json("disk", "raw") + "," +
                     claim_volume_json("reports", "reports") + "," +
                     claim_volume_json("archive", "archive"),
                 "ReplicaSet", "web-5d9c7"));
  }

  void build() {
    say("building a node: ext4 and xfs volumes, a block device, a shared directory, one that "
        "hangs");
    stateful_set();
    others();
  }
};

// A small database on each: a page written and synced, and one read back, some thirty times a
// second.
void work(const std::vector<std::string>& directories, const std::stop_token& stop) {
  constexpr std::size_t kPage = 4096;
  constexpr int kPages = 64;
  const std::unique_ptr<void, void (*)(void*)> page(std::aligned_alloc(kPage, kPage), std::free);
  std::memset(page.get(), 'x', kPage);
  std::vector<volumeter::UniqueFd> files;
  for (const std::string& directory : directories) {
    files.emplace_back(
        ::open((directory + "/table").c_str(), O_RDWR | O_CREAT | O_DIRECT | O_CLOEXEC, 0600));
  }
  for (int i = 0; !stop.stop_requested(); ++i) {
    for (const auto& file : files) {
      if (::pwrite(file.get(), page.get(), kPage, i % kPages * static_cast<off_t>(kPage)) > 0) {
        ::fdatasync(file.get());
      }
      const off_t before = (i + kPages - 1) % kPages * static_cast<off_t>(kPage);
      (void)!::pread(file.get(), page.get(), kPage, before);
    }
    std::this_thread::sleep_for(30ms);
  }
}

// One line for each thing that changed since the last look.
void follow(const Agent& agent, std::map<std::string, std::string>& seen) {
  std::map<std::string, std::string> now;
  for (const auto& [series, value] : agent.metrics()) {
    const auto labels = series.substr(std::min(series.find('{'), series.size()));
    char text[64];
    if (series.starts_with("volumeter_volume_usage_ratio{")) {
      std::snprintf(text, sizeof text, "%.0f %% full", value * 100);
      now["usage" + labels] = text;
    } else if (series.starts_with("volumeter_volume_responsive{")) {
      now["response" + labels] = value == 1 ? "responds" : "DOES NOT RESPOND";
    } else if (series.starts_with("volumeter_volume_mounted{")) {
      now["mount" + labels] = value == 1 ? "mounted" : "NOT MOUNTED";
    }
  }
  if (now.empty()) return;
  for (const auto& [key, text] : now) {
    if (seen[key] == text) continue;
    const bool quiet = seen[key].empty() && (text == "responds" || text == "mounted");
    if (!quiet) say("  " + key.substr(key.find('{')) + " " + text);
  }
  for (const auto& [key, text] : seen) {
    if (!now.contains(key)) say("  " + key.substr(key.find('{')) + " left");
  }
  seen = now;
}

int serve(const std::vector<std::string>& flags, const std::string& listen,
          const std::string& hint) {
  Agent agent(flags, {{}, listen, true, {}});
  if (agent.port() == 0) {
    std::fprintf(stderr, "the agent did not start:\n%s", agent.log().c_str());
    return 1;
  }
  const std::string url = "http://127.0.0.1:" + std::to_string(agent.port());
  say("\n  status page  " + url + "/\n  metrics      " + url + "/metrics\n  JSON         " + url +
      "/api/v1/volumes\n\n" + hint + "Ctrl-C ends it.\n");
  std::map<std::string, std::string> seen;
  while (g_stop == 0 && !agent.process().wait(0ms)) {
    follow(agent, seen);
    for (int i = 0; i < 10 && g_stop == 0; ++i) std::this_thread::sleep_for(100ms);
  }
  say("\nremoving everything");
  agent.process().signal(SIGTERM);
  agent.process().wait(5s);
  return 0;
}

}  // namespace

int main() {
  for (const int number : {SIGINT, SIGTERM, SIGHUP}) {
    struct sigaction action {};
    action.sa_handler = [](int) { g_stop = 1; };
    ::sigaction(number, &action, nullptr);
  }
  const std::string listen = "127.0.0.1:10098";
  std::error_code ignored;
  if (std::filesystem::exists("/var/lib/kubelet/pods", ignored)) {
    return serve({}, listen, "This machine has a kubelet: these are its volumes. ");
  }
  if (const auto why = why_no_mounts()) {
    say("Not a demonstration node: it " + *why +
        ". `sudo make run` would mount ext4 and xfs\n"
        "volumes at 35, 85 and 93 %, a block volume, a shared directory and one that hangs.\n"
        "Measuring this host's own filesystems instead.");
    std::string directory = (std::filesystem::temp_directory_path() / "volumeter-XXXXXX").string();
    if (::mkdtemp(directory.data()) == nullptr) return 1;
    make_own_procfs(directory + "/proc");
    const int code = serve({"--path.procfs=" + directory + "/proc"}, listen, "");
    std::filesystem::remove_all(directory, ignored);
    return code;
  }
  enter_mount_namespace();
  Demo demo;
  demo.build();
  std::vector<std::string> flags = demo.node.agent_flags();
  flags.insert(flags.end(),
               {"--kube.api-url=" + demo.api.url(), "--kube.node-name=demo-node", "--interval=5s"});
  std::jthread hang([&](const std::stop_token& stop) {
    for (int i = 0; i < 80 && !stop.stop_requested(); ++i) std::this_thread::sleep_for(100ms);
    demo.hung.front()->hold("all");
  });
  std::jthread database([&](const std::stop_token& stop) { work(demo.busy, stop); });
  return serve(flags, listen,
               "Look inside with: nsenter -m -t " + std::to_string(::getpid()) + " ls " +
                   demo.node.kubelet() + "/pods\n" + "Archive stops answering in a few seconds. ");
}
