#include "support/node.h"

#include <fcntl.h>
#include <linux/loop.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <map>
#include <sstream>

namespace volumeter::test {
namespace {

[[noreturn]] void die(const std::string& what) {
  std::fprintf(stderr, "%s: %s\n", what.c_str(), std::strerror(errno));
  std::exit(1);
}

// mountinfo writes space, tab, newline and backslash as \ooo.
std::string unescape(const std::string& text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\\' && i + 3 < text.size()) {
      out += static_cast<char>(std::strtol(text.substr(i + 1, 3).c_str(), nullptr, 8));
      i += 3;
    } else {
      out += text[i];
    }
  }
  return out;
}

}  // namespace

std::optional<std::string> why_no_mounts() {
  if (::geteuid() != 0) return "needs root, to mount filesystems";
  if (::access("/dev/loop-control", R_OK | W_OK) != 0) return "needs /dev/loop-control";
  if (::access("/dev/fuse", R_OK | W_OK) != 0) return "needs /dev/fuse";
  return std::nullopt;
}

void enter_mount_namespace() {
  if (::unshare(CLONE_NEWNS) != 0) die("unshare");
  if (::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0) die("make / private");
  // As systemd does on a node: the system-call tracepoints are found there. Not every kernel has
  // it.
  if (::access("/sys/kernel/tracing/events", F_OK) != 0) {
    ::mount("tracefs", "/sys/kernel/tracing", "tracefs", 0, nullptr);
  }
}

void make_own_procfs(const std::string& directory) {
  make_directories(directory);
  // "self" is whoever reads it: an agent of this namespace.
  std::filesystem::create_symlink("/proc/self", directory + "/1");
  for (const std::string name : {"partitions", "diskstats", "pressure"}) {
    std::filesystem::create_symlink("/proc/" + name, directory + "/" + name);
  }
}

void make_directories(const std::string& path) { std::filesystem::create_directories(path); }

namespace {
std::map<std::string, UniqueFd> g_held;  // loop devices that nobody else has yet
}  // namespace

std::string attach_loop(const std::string& image) {
  const UniqueFd control(::open("/dev/loop-control", O_RDWR | O_CLOEXEC));
  const UniqueFd file(::open(image.c_str(), O_RDWR | O_CLOEXEC));
  if (!control || !file) die("open " + image);
  for (int attempt = 0; attempt < 100; ++attempt) {
    const int number = ::ioctl(control.get(), LOOP_CTL_GET_FREE);
    if (number < 0) die("LOOP_CTL_GET_FREE");
    const std::string device = "/dev/loop" + std::to_string(number);
    // The node may appear a moment after the device.
    if (::access(device.c_str(), F_OK) != 0) {
      ::mknod(device.c_str(), S_IFBLK | 0600, makedev(7, static_cast<unsigned>(number)));
    }
    const UniqueFd loop(::open(device.c_str(), O_RDWR | O_CLOEXEC));
    loop_config config{};
    config.fd = static_cast<__u32>(file.get());
    config.info.lo_flags = LO_FLAGS_AUTOCLEAR;
    if (loop && ::ioctl(loop.get(), LOOP_CONFIGURE, &config) == 0) {
      // Autoclear acts at the last close: hold the device until its user has it.
      g_held[device] = UniqueFd(::open(device.c_str(), O_RDONLY | O_CLOEXEC));
      return device;
    }
    ::usleep(10000);  // another process took that number
  }
  die("no free loop device");
}

std::string home_of(const std::string& user, const std::string& where) {
  namespace fs = std::filesystem;
  for (fs::path path = where; path != "/"; path = path.parent_path()) {
    fs::permissions(path, fs::perms::others_exec, fs::perm_options::add);
  }
  const std::string home = where + "/home";
  make_directories(home);
  must_run({"chown", user, home});
  return home;
}

void detach_loop(const std::string& device) {
  const UniqueFd loop(::open(device.c_str(), O_RDONLY | O_CLOEXEC));
  if (loop) ::ioctl(loop.get(), LOOP_CLR_FD, 0);
  g_held.erase(device);
}

StallFs::StallFs(const std::string& mount_point, const std::string& disk,
                 const std::string& subtype)
    : process_([&] {
        make_directories(mount_point);
        std::vector<std::string> argv = {STALLFS_PATH, mount_point};
        argv.insert(argv.end(), {disk, subtype});
        return Process(argv);
      }()) {
  if (process_.read_line() != "ready") die("stallfs at " + mount_point);
}

void StallFs::command(const std::string& line) {
  process_.send(line);
  process_.read_line();
}

Node::Node() {
  std::string pattern = (std::filesystem::temp_directory_path() / "volumeter-node-XXXXXX").string();
  if (::mkdtemp(pattern.data()) == nullptr) die("mkdtemp");
  directory_ = pattern;
  make_directories(kubelet() + "/pods");
  // Where the kubelet would keep its containers' logs; gone with the namespace.
  mount("tmpfs", "/var/log", "tmpfs", 0, "size=1m");
  make_directories("/var/log/pods");
  make_own_procfs(procfs());
}

Node::~Node() {
  std::ifstream mountinfo("/proc/self/mountinfo");
  std::vector<std::string> points;
  for (std::string line; std::getline(mountinfo, line);) {
    std::istringstream fields(line);
    std::string point;
    for (int i = 0; i < 5; ++i) fields >> point;  // the fifth is the mount point
    if (point.starts_with(directory_ + "/")) points.push_back(unescape(point));
  }
  std::reverse(points.begin(), points.end());
  for (const std::string& point : points) ::umount2(point.c_str(), MNT_DETACH);
  ::umount2("/var/log", MNT_DETACH);
  std::error_code ignored;
  std::filesystem::remove_all(directory_, ignored);
}

std::string Node::volume_dir(const std::string& uid, const std::string& plugin,
                             const std::string& name) {
  const std::string path = kubelet() + "/pods/" + uid + "/volumes/kubernetes.io~" + plugin + "/" +
                           name + (plugin == "csi" ? "/mount" : "");
  make_directories(path);
  return path;
}

std::string Node::csi_dir(const std::string& uid, const std::string& volume) {
  const std::string path = volume_dir(uid, "csi", volume);
  std::ofstream(std::filesystem::path(path).parent_path() / "vol_data.json")
      << R"({"driverName":"demo.csi","specVolID":")" << volume << R"(","volumeHandle":"h-)"
      << volume << R"(","volumeLifecycleMode":"Persistent"})";
  return path;
}

std::string Node::staging_dir(const std::string& volume) {
  const std::string path = kubelet() + "/plugins/kubernetes.io/csi/demo.csi/" + volume;
  make_directories(path + "/globalmount");
  std::ofstream(path + "/vol_data.json")
      << R"({"driverName":"demo.csi","volumeHandle":"h-)" << volume << "\"}";
  return path + "/globalmount";
}

void Node::block_volume(const std::string& uid, const std::string& volume,
                        const std::string& device) {
  const std::string publish =
      kubelet() + "/plugins/kubernetes.io/csi/volumeDevices/publish/" + volume;
  make_directories(publish);
  const std::string node = publish + "/" + uid;
  std::ofstream(node).flush();
  bind(device, node);
  const std::string links = kubelet() + "/pods/" + uid + "/volumeDevices/kubernetes.io~csi";
  make_directories(links);
  std::filesystem::create_symlink(node, (links + "/" + volume));
}

std::string Node::image(const std::string& fstype, std::uint64_t size,
                        const std::vector<std::string>& more) {
  const std::string path = directory_ + "/image" + std::to_string(images_++);
  std::ofstream(path).flush();
  std::filesystem::resize_file(path, size);
  std::vector<std::string> mkfs = {"mkfs." + fstype, "-q"};
  if (fstype == "ext4") {
    mkfs.insert(mkfs.end(), {"-F", "-E", "lazy_itable_init=1"});
  } else {
    mkfs.emplace_back("-f");
  }
  mkfs.insert(mkfs.end(), more.begin(), more.end());
  mkfs.push_back(path);
  if (!fstype.empty()) must_run(mkfs);
  return path;
}

std::string Node::mount_image(const std::string& image, const std::string& fstype,
                              const std::string& where) {
  const std::string device = attach_loop(image);
  make_directories(where);
  mount(device, where, fstype, 0);
  detach_loop(device);  // from here on the mount keeps it
  return device;
}

void Node::mount(const std::string& source, const std::string& where, const std::string& fstype,
                 unsigned long flags, const std::string& data) {
  if (::mount(source.c_str(), where.c_str(), fstype.c_str(), flags,
              data.empty() ? nullptr : data.c_str()) != 0) {
    die("mount " + source + " at " + where);
  }
}

void Node::bind(const std::string& source, const std::string& where) {
  mount(source, where, "", MS_BIND);
}

void Node::unmount(const std::string& where) {
  if (::umount2(where.c_str(), 0) != 0) die("unmount " + where);
}

std::vector<std::string> Node::agent_flags() const {
  return {"--path.procfs=" + procfs(), "--path.kubelet=" + kubelet()};
}

void fill(const std::string& directory, double ratio) {
  struct statvfs st {};
  if (::statvfs(directory.c_str(), &st) != 0) die("statvfs " + directory);
  const auto used = static_cast<double>(st.f_blocks - st.f_bfree);
  const auto usable = used + static_cast<double>(st.f_bavail);
  const double bytes = (ratio * usable - used) * static_cast<double>(st.f_frsize);
  const UniqueFd file(::open((directory + "/data").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644));
  if (!file || (bytes > 0 && ::fallocate(file.get(), 0, 0, static_cast<off_t>(bytes)) != 0)) {
    die("fill " + directory);
  }
}

}  // namespace volumeter::test
