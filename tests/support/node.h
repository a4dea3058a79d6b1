// A node to test on: real filesystems mounted where a kubelet mounts them, in a mount namespace of
// this process's own. When the process ends, however it ends, the kernel takes everything away.
#pragma once

#include <csignal>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "support/api_server.h"
#include "support/process.h"

namespace volumeter::test {

// Why tests with real mounts can't run here, or nothing.
std::optional<std::string> why_no_mounts();

// Once per process, before any thread starts: mounts from here on are nobody else's. Needs root.
void enter_mount_namespace();

// A loop device over `image`, freed by the kernel when its last user is gone.
std::string attach_loop(const std::string& image);
// Detaches a loop device that is a block volume, or hasn't been mounted yet.
void detach_loop(const std::string& device);

// A process that serves a filesystem which stops answering on command (stallfs_main.cc).
class StallFs {
 public:
  // `disk`: the content of its one file, "disk". Its type is fuse.<subtype>.
  explicit StallFs(const std::string& mount_point, const std::string& disk = "",
                   const std::string& subtype = "stall");
  void set_attribute(const std::string& name, const std::string& value) {
    command("attr " + name + " " + value);
  }
  void hold(const std::string& ops) { command("hold " + ops); }
  void release() { command("release"); }
  void delay(int milliseconds) { command("delay " + std::to_string(milliseconds)); }
  // Reads and writes of its file fail from now on.
  void break_io(int error) { command("break " + std::to_string(error)); }
  void fail_statfs(int error) { command("fail " + std::to_string(error)); }
  void freeze() { process_.signal(SIGSTOP); }  // waiters can be killed
  void thaw() { process_.signal(SIGCONT); }
  void kill() { process_.signal(SIGKILL); }
  [[nodiscard]] pid_t pid() const { return process_.pid(); }

 private:
  void command(const std::string& line);
  Process process_;
};

// Directories of a kubelet, and mounts in them.
class Node {
 public:
  Node();
  ~Node();
  Node(const Node&) = delete;
  Node& operator=(const Node&) = delete;

  [[nodiscard]] const std::string& directory() const { return directory_; }
  [[nodiscard]] std::string kubelet() const { return directory_ + "/kubelet"; }
  // A procfs whose 1/mountinfo is this namespace's.
  [[nodiscard]] std::string procfs() const { return directory_ + "/proc"; }

  // <kubelet>/pods/<uid>/volumes/kubernetes.io~<plugin>/<name>[/mount]; the directory is made.
  std::string volume_dir(const std::string& uid, const std::string& plugin,
                         const std::string& name);
  // A CSI volume's directory with its vol_data.json.
  std::string csi_dir(const std::string& uid, const std::string& volume);
  // Where the volume is staged, with its vol_data.json.
  std::string staging_dir(const std::string& volume);
  // A block volume's symlink and the device node it leads to.
  void block_volume(const std::string& uid, const std::string& volume, const std::string& device);

  // An image of `size` bytes (sparse) with a filesystem: "ext4", "xfs" or "btrfs"; the path. More
  // arguments are mkfs's.
  std::string image(const std::string& fstype, std::uint64_t size,
                    const std::vector<std::string>& more = {});
  // Mounts an image over a fresh loop device; the device.
  std::string mount_image(const std::string& image, const std::string& fstype,
                          const std::string& where);
  static void mount(const std::string& source, const std::string& where, const std::string& fstype,
                    unsigned long flags, const std::string& data = "");
  static void bind(const std::string& source, const std::string& where);
  static void unmount(const std::string& where);

  // Flags that make an agent look at this node.
  [[nodiscard]] std::vector<std::string> agent_flags() const;

 private:
  std::string directory_;
  int images_ = 0;
};

void make_directories(const std::string& path);
// A directory for `user` alone in `where`, and a way to it: the kubelet's directories are root's.
std::string home_of(const std::string& user, const std::string& where);
// A procfs whose 1/mountinfo is that of whoever reads it: init's is for root only.
void make_own_procfs(const std::string& directory);
// Writes until the filesystem at `directory` is `ratio` full, as df counts.
void fill(const std::string& directory, double ratio);

}  // namespace volumeter::test
