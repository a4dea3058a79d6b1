// The image that was built (tests/image/build.sh), by itself and as the manifest would start it on
// a node; and the package.
#include <gtest/gtest.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include <ctime>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <set>

#include "image/container.h"
#include "support/node.h"

namespace volumeter::test {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::json;

constexpr std::uintmax_t kMostBytes = 60 << 20;

std::string image_path(const std::string& name) {
  const char* where = std::getenv("VOLUMETER_IMAGE");
  return (where == nullptr ? std::string(SOURCE_DIR) + "/build/image" : where) + "/" + name;
}

class ImageTest : public testing::Test {
 protected:
  void SetUp() override {
    if (const auto why = why_no_mounts()) GTEST_SKIP() << *why;
    ASSERT_TRUE(fs::exists(image_path("image.json"))) << "tests/image/build.sh makes it";
    image = Json::parse(read_all(image_path("image.json")));
  }
  [[nodiscard]] Json config() const { return image["OCIv1"]["config"]; }
  // In a chroot: nothing of this machine is at hand.
  static Output in_image(std::vector<std::string> command) {
    command.insert(command.begin(), {"chroot", image_path("rootfs")});
    return run(command);
  }
  Json image;
};

TEST_F(ImageTest, HoldsTheBinaryWhatItLinksAndTheirLicences) {
  std::uintmax_t bytes = 0;
  for (const auto& entry : fs::recursive_directory_iterator(image_path("rootfs"))) {
    if (entry.is_regular_file() && !entry.is_symlink()) bytes += entry.file_size();
  }
  EXPECT_LT(bytes, kMostBytes);
  EXPECT_GT(bytes, 1U << 20U);
  for (const char* absent : {"usr/bin/sh", "usr/bin/apt", "usr/bin/g++", "src"}) {
    EXPECT_FALSE(fs::exists(image_path("rootfs/") + absent)) << absent;
  }
  for (const char* package : {"libc6", "libmount1", "libbpf1", "volumeter"}) {
    EXPECT_TRUE(fs::exists(image_path("rootfs/usr/share/doc/") + package + "/copyright"))
        << package;
  }
  EXPECT_NE(read_all(image_path("rootfs/var/lib/dpkg/status.d/libbpf1")).find("Version: "),
            std::string::npos)
      << "by which scanners know what is in it";
  EXPECT_EQ(run({"file", "-b", image_path("rootfs/usr/bin/volumeter")}).text.find("not stripped"),
            std::string::npos);
}

// Each library that is there, by its package and version.
TEST_F(ImageTest, ItsListOfPartsIsWhole) {
  const Json parts = Json::parse(read_all(image_path("sbom.json")));
  EXPECT_EQ(parts["bomFormat"], "CycloneDX");
  std::set<std::string> listed;
  for (const Json& part : parts["components"]) {
    listed.insert(part["name"].get<std::string>());
    EXPECT_NE(part["version"].get<std::string>(), "") << part;
  }
  // This machine has them from the same packages.
  for (const auto& library :
       fs::directory_iterator(image_path("rootfs/usr/lib/x86_64-linux-gnu"))) {
    const std::string name = library.path().filename();
    Output owner = run({"dpkg", "-S", "/usr/lib/x86_64-linux-gnu/" + name});
    if (owner.code != 0) owner = run({"dpkg", "-S", "/lib/x86_64-linux-gnu/" + name});
    EXPECT_TRUE(listed.contains(owner.text.substr(0, owner.text.find(':')))) << owner.text;
  }
}

TEST_F(ImageTest, ListsEveryFlagAndSaysWhatItIs) {
  const Output help = in_image({"/usr/bin/volumeter", "--help"});
  ASSERT_EQ(help.code, 0) << help.text;
  const std::string docs = read_all(std::string(SOURCE_DIR) + "/docs/flags.md");
  std::size_t flags = 0;
  for (std::size_t at = docs.find("| `--"); at != std::string::npos;
       at = docs.find("| `--", at + 1)) {
    const std::string flag = docs.substr(at + 3, docs.find('`', at + 3) - at - 3);
    // Subcommands' options have no environment variable.
    if (docs.find("` | `VOLUMETER_", at) != at + 3 + flag.size() && flag != "--config.file")
      continue;
    EXPECT_NE(help.text.find(flag), std::string::npos) << flag;
    ++flags;
  }
  EXPECT_GT(flags, 30U);
  const Output version = in_image({"/usr/bin/volumeter", "--version"});
  EXPECT_EQ(version.code, 0);
  const std::string said = config()["Labels"]["org.opencontainers.image.version"];
  EXPECT_NE(version.text.find(said), std::string::npos) << version.text;
}

TEST_F(ImageTest, IsLabelledAndRunsTheAgent) {
  const Json labels = config()["Labels"];
  for (const char* label : {"title", "description", "version", "revision", "licenses"}) {
    EXPECT_NE(labels.value(std::string("org.opencontainers.image.") + label, ""), "") << label;
  }
  EXPECT_EQ(config()["Entrypoint"], Json({"/usr/bin/volumeter"}));
  EXPECT_EQ(config()["Cmd"], Json({"agent"}));
  EXPECT_TRUE(config()["ExposedPorts"].contains("10098/tcp"));
}

// The same commit gives the same image, to the byte: no moment but the commit's is in it.
TEST_F(ImageTest, HoldsNoMomentButItsCommits) {
  const std::string created = image["OCIv1"]["created"];
  std::tm parts{};
  ASSERT_NE(::strptime(created.c_str(), "%Y-%m-%dT%H:%M:%S", &parts), nullptr) << created;
  const auto committed = ::timegm(&parts);
  const std::string revision = config()["Labels"]["org.opencontainers.image.revision"];
  const Output when = run({"git", "-C", SOURCE_DIR, "log", "-1", "--format=%ct", revision});
  ASSERT_EQ(when.code, 0) << when.text;
  EXPECT_EQ(std::stoll(when.text), committed);
  for (const auto& entry : fs::recursive_directory_iterator(image_path("rootfs"))) {
    struct stat st {};
    ASSERT_EQ(::lstat(entry.path().c_str(), &st), 0);
    EXPECT_EQ(st.st_mtim.tv_sec, committed) << entry.path();
  }
  const std::string binary = read_all(image_path("rootfs/usr/bin/volumeter"));
  EXPECT_EQ(binary.find("/src/agent/"), std::string::npos) << "nor where it was built";
}

class ManifestTest : public ImageTest {
 protected:
  void SetUp() override {
    ImageTest::SetUp();
    if (IsSkipped() || HasFatalFailure()) return;
    // As on a node: what is mounted later is passed on.
    ASSERT_EQ(::mount(nullptr, "/", nullptr, MS_REC | MS_SHARED, nullptr), 0);
    node = std::make_unique<Node>();
    options.rootfs = image_path("rootfs");
    options.manifest = std::string(SOURCE_DIR) + "/deploy/daemonset.yaml";
    options.directory = node->directory() + "/container";
    options.entrypoint = config()["Entrypoint"].get<std::vector<std::string>>();
    lay_out_procfs();
    options.more_flags = {"--web.listen-address=127.0.0.1:0", "--interval=500ms",
                          "--worker.deadline=400ms", "--path.procfs=/host/root" + procfs(),
                          "--path.kubelet=" + node->kubelet()};
  }
  void TearDown() override {
    node.reset();
    ::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr);
  }
  // Whose 1/mountinfo is that of the namespace that stands for the node's. Links that are absolute
  // lead into the container's own /proc, which has the host's processes.
  [[nodiscard]] std::string procfs() const { return node->directory() + "/proc-of-init"; }
  void lay_out_procfs() const {
    make_directories(procfs());
    fs::create_symlink("/proc/" + std::to_string(::getpid()), procfs() + "/1");
    for (const std::string name : {"partitions", "diskstats", "pressure"}) {
      fs::create_symlink("/proc/" + name, procfs() + "/" + name);
    }
  }
  static std::string ratio(const std::string& pod) {
    return "volumeter_pod_volume_usage_ratio{namespace=\"\",pod=\"" + pod +
           "\",volume=\"data\",type=\"csi\"}";
  }
  std::unique_ptr<Node> node;
  Container::Options options;
};

TEST_F(ManifestTest, MeasuresANodeWithNoMoreThanItsProfileHas) {
  node->mount_image(node->image("ext4", 32 << 20), "ext4", node->csi_dir("u1", "data"));
  const Container container(options);
  const int port = container.port();
  ASSERT_NE(port, 0) << container.log();
  const auto metric = [&](const std::string& series) {
    const Metrics all = parse_metrics(http_get(port, "/metrics").body);
    const auto it = all.find(series);
    return it == all.end() ? std::optional<double>() : it->second;
  };
  EXPECT_TRUE(eventually([&] { return http_get(port, "/readyz").status == 200; }))
      << container.log();
  EXPECT_TRUE(eventually([&] { return metric(ratio("u1")).has_value(); })) << container.log();
  // Volumes that are mounted while it runs.
  node->mount_image(node->image("xfs", 320 << 20), "xfs", node->csi_dir("u2", "data"));
  EXPECT_TRUE(eventually([&] { return metric(ratio("u2")).has_value(); })) << container.log();
  for (const char* capability : {"DAC_READ_SEARCH", "BPF", "PERFMON"}) {
    EXPECT_EQ(
        metric("volumeter_capability_granted{capability=\"" + std::string(capability) + "\"}"), 1);
  }
  for (const char* capability : {"DAC_OVERRIDE", "SYS_ADMIN", "SYS_PTRACE", "SYSLOG"}) {
    EXPECT_EQ(
        metric("volumeter_capability_granted{capability=\"" + std::string(capability) + "\"}"), 0);
  }
  EXPECT_TRUE(eventually(
      [&] { return metric("volumeter_bpf_program_attached{program=\"block_rq_complete\"}") == 1; },
      60s))
      << container.log();
  EXPECT_TRUE(eventually(
      [&] { return metric("volumeter_bpf_program_attached{program=\"fsync\"}") == 1; }, 60s))
      << "by tracepoints\n"
      << container.log();
  // What the node unmounts is unmounted: nothing in the container holds it.
  Node::unmount(node->csi_dir("u1", "data"));
  EXPECT_TRUE(eventually([&] { return !metric(ratio("u1")).has_value(); }));
}

TEST_F(ManifestTest, KeepsItsStateAndWritesNowhereElse) {
  const Container container(options);
  ASSERT_NE(container.port(), 0) << container.log();
  const std::string root = "/proc/" + std::to_string(container.pid()) + "/root";
  EXPECT_FALSE(std::ofstream(root + "/etc/new").is_open());
  EXPECT_FALSE(std::ofstream(root + "/host/root/etc/new").is_open());
  EXPECT_TRUE(std::ofstream(root + "/var/lib/volumeter/new").is_open());
  const std::string status = read_all("/proc/" + std::to_string(container.pid()) + "/status");
  EXPECT_NE(status.find("NoNewPrivs:\t1"), std::string::npos) << status;
}

TEST_F(ImageTest, ThePackageHasAServiceAndItsLibraries) {
  std::string deb;
  for (const auto& entry : fs::directory_iterator(image_path("deb"))) {
    if (entry.path().extension() == ".deb") deb = entry.path();
  }
  ASSERT_NE(deb, "");
  const std::string about = run({"dpkg-deb", "--info", deb}).text;
  for (const char* library : {"libc6 (", "libmount1", "libbpf1", "libseccomp2"}) {
    EXPECT_NE(about.find(library), std::string::npos) << about;
  }
  const std::string files = run({"dpkg-deb", "--contents", deb}).text;
  for (const char* file :
       {"./usr/bin/volumeter", "./usr/lib/systemd/system/volumeter.service",
        "./etc/volumeter/volumeter.conf", "./usr/share/doc/volumeter/copyright"}) {
    EXPECT_NE(files.find(file), std::string::npos) << files;
  }
  const std::string where =
      fs::temp_directory_path() / ("volumeter-deb-" + std::to_string(::getpid()));
  must_run({"dpkg-deb", "--extract", deb, where});
  EXPECT_EQ(run({where + "/usr/bin/volumeter", "--version"}).code, 0);
  // Its own configuration is one that the agent takes: df reads it, too.
  EXPECT_EQ(run({where + "/usr/bin/volumeter", "df",
                 "--config.file=" + where + "/etc/volumeter/volumeter.conf"})
                .code,
            0);
  const Output unit = run({"systemd-analyze", "verify", "--man=no",
                           where + "/usr/lib/systemd/system/volumeter.service"});
  if (unit.code != 127) {
    EXPECT_EQ(unit.text.find("Unknown"), std::string::npos) << unit.text;
  }
  fs::remove_all(where);
}

}  // namespace
}  // namespace volumeter::test
