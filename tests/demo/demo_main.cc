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

#include "demo/faults.h"
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
  std::vector<std::unique_ptr<StallFs>> disks;  // that can stall
  std::vector<std::string> busy;                // directories that somebody reads and writes in
  std::map<std::string, FaultTarget> targets;

  void claim(const std::string& name, const std::string& volume, const std::string& storage,
             const std::string& mode = "Filesystem", const std::string& more_annotations = "") {
    ClaimSpec spec;
    spec.namespace_ = "shop";
    spec.name = name;
    spec.volume = volume;
    spec.storage = storage;
    spec.mode = mode;
    spec.annotations_json = R"("volumeter.io/probe":"on")" + more_annotations;
    put_claim(api, spec);
  }

  void stateful_set() {
    struct Member {
      const char* fstype;
      std::uint64_t size;
      const char* storage;
      double full;
      bool disk_of_its_own;  // that can hang and be slow
      bool busy;
    };
    const std::vector<Member> members = {{"ext4", 64 * kMiB, "64Mi", 0.35, true, true},
                                         {"xfs", 320 * kMiB, "320Mi", 0.85, false, true},
                                         {"ext4", 64 * kMiB, "64Mi", 0.93, false, false},
                                         {"ext4", 64 * kMiB, "64Mi", 0.25, true, true},
                                         {"ext4", 128 * kMiB, "128Mi", 0.15, false, false},
                                         {"ext4", 64 * kMiB, "64Mi", 0.2, false, false}};
    for (std::size_t i = 0; i < members.size(); ++i) {
      const std::string n = std::to_string(i);
      const std::string uid = "00000000-0000-4000-8000-00000000000" + n;
      const std::string volume = "pvc-demo-" + n;
      const std::string name = "data-orders-" + n;
      const std::string where = node.csi_dir(uid, volume);
      FaultTarget target{
          where,  node.image(members[i].fstype, members[i].size), members[i].fstype, "", nullptr,
          nullptr};
      if (members[i].disk_of_its_own) {
        const std::string server = node.directory() + "/disk" + n;
        target.disk = disks.emplace_back(std::make_unique<StallFs>(server, target.image)).get();
        target.image = server + "/disk";
      }
      if (target.fstype == "xfs") {
        target.resize = [this, name, volume](const std::string& storage) {
          claim(name, volume, storage);
        };
      }
      target.device = node.mount_image(target.image, target.fstype, where);
      fill(where, members[i].full);
      if (members[i].busy) busy.push_back(where);
      claim(name, volume, members[i].storage, "Filesystem",
            members[i].disk_of_its_own ? R"(,"volumeter.io/sync-p99":"200ms")" : "");
      api.set_pod(uid, pod_json("shop", "orders-" + n, uid, claim_volume_json("data", name),
                                "StatefulSet", "orders"));
      targets[name] = std::move(target);
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

  void log_collector() {
    const std::string uid = "00000000-0000-4000-8000-000000000020";
    std::ofstream(node.volume_dir(uid, "empty-dir", "buffer") + "/log")
        << std::string(3 << 20, 'x');
    api.set_pod(
        uid, pod_json("monitoring", "logs-7k2xd", uid,
                      R"({"name":"buffer","emptyDir":{"sizeLimit":"8Mi"}})", "DaemonSet", "logs"));
  }

  void build() {
    say("building a node: ext4 and xfs volumes, a block device, a shared directory, one that "
        "hangs");
    stateful_set();
    others();
    log_collector();
  }
};

// A small database: a page written and synced, and one read back, some thirty times a second.
void work(const std::string& directory, const std::stop_token& stop) {
  constexpr std::size_t kPage = 4096;
  constexpr int kPages = 64;
  const std::unique_ptr<void, void (*)(void*)> page(std::aligned_alloc(kPage, kPage), std::free);
  std::memset(page.get(), 'x', kPage);
  const std::string table = directory + "/table";
  const volumeter::UniqueFd file(::open(table.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
  const volumeter::UniqueFd past_cache(::open(table.c_str(), O_RDONLY | O_DIRECT | O_CLOEXEC));
  for (int i = 0; !stop.stop_requested(); ++i) {
    if (::pwrite(file.get(), page.get(), kPage, i % kPages * static_cast<off_t>(kPage)) > 0) {
      ::fdatasync(file.get());
    }
    const off_t before = (i + kPages - 1) % kPages * static_cast<off_t>(kPage);
    (void)!::pread(past_cache.get(), page.get(), kPage, before);
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

// As when a DaemonSet rolls out a new version: the old one ends before the new one starts.
void roll_out(std::unique_ptr<Agent>& agent, const std::vector<std::string>& flags) {
  const std::string address = "127.0.0.1:" + std::to_string(agent->port());
  agent->process().signal(SIGTERM);
  agent->process().wait(10s);
  agent = std::make_unique<Agent>(flags, Agent::Options{{}, address, true, {}});
}

int serve(const std::vector<std::string>& flags, const std::string& listen, const std::string& hint,
          std::atomic<bool>* rollout = nullptr) {
  auto agent = std::make_unique<Agent>(flags, Agent::Options{{}, listen, true, {}});
  if (agent->port() == 0) {
    std::fprintf(stderr, "the agent did not start:\n%s", agent->log().c_str());
    return 1;
  }
  const std::string url = "http://127.0.0.1:" + std::to_string(agent->port());
  say("\n  status page  " + url + "/\n  metrics      " + url + "/metrics\n  JSON         " + url +
      "/api/v1/volumes\n\n" + hint + "Ctrl-C ends it.\n");
  std::map<std::string, std::string> seen;
  while (g_stop == 0 && !agent->process().wait(0ms)) {
    follow(*agent, seen);
    for (int i = 0; i < 10 && g_stop == 0; ++i) std::this_thread::sleep_for(100ms);
    if (rollout != nullptr && rollout->exchange(false)) roll_out(agent, flags);
  }
  say("\nremoving everything");
  agent->process().signal(SIGTERM);
  agent->process().wait(5s);
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  const std::vector<std::string> arguments(argv + 1, argv + argc);
  const char* socket_name = std::getenv("VOLUMETER_DEMO_SOCKET");
  const std::string socket = socket_name == nullptr ? "/run/volumeter-demo.sock" : socket_name;
  if (!arguments.empty() && arguments[0] == "fault") {
    std::string command;
    for (std::size_t i = 1; i < arguments.size(); ++i) command += arguments[i] + " ";
    return send_fault(socket, command);
  }
  for (const int number : {SIGINT, SIGTERM, SIGHUP}) {
    struct sigaction action {};
    action.sa_handler = [](int) { g_stop = 1; };
    ::sigaction(number, &action, nullptr);
  }
  const char* address = std::getenv("VOLUMETER_DEMO_LISTEN");
  const std::string listen = address == nullptr ? "127.0.0.1:10098" : address;
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
  std::vector<std::jthread> databases;  // each its own: one that hangs doesn't stop the others
  for (const std::string& where : demo.busy) {
    databases.emplace_back([&](const std::stop_token& stop) { work(where, stop); });
  }
  std::atomic<bool> rollout = false;
  Faults faults(demo.node, demo.targets, rollout);
  auto commands = std::make_unique<FaultServer>(socket, faults);
  const int code = serve(flags, listen,
                         "Look inside with: nsenter -m -t " + std::to_string(::getpid()) + " ls " +
                             demo.node.kubelet() +
                             "/pods\nMake faults with: scripts/fault full, hang, slow, read-only, "
                             "unmount, expand, rollout; and "
                             "scripts/fault heal\nArchive stops answering in a few seconds. ",
                         &rollout);
  commands.reset();
  bool healed = false;
  (void)faults.obey("heal", healed);
  return code;
}
