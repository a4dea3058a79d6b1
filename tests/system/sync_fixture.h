// What tests of syncs share: volumes' waits, and a disk as slow as they like.
#pragma once

#include <optional>

#include "latency_fixture.h"

namespace volumeter::test {

// The syncs of one volume, or its reads or writes.
struct Waits {
  double count = 0;
  double seconds = 0;
  std::vector<std::pair<double, double>> buckets;  // le, cumulative count
  double device = 0;
  double queue = 0;
  double above = 0;

  [[nodiscard]] double split() const { return device + queue + above; }
};

inline Waits operator-(const Waits& after, const Waits& before) {
  Waits all = after;
  all.count -= before.count;
  all.seconds -= before.seconds;
  for (std::size_t i = 0; i < std::min(all.buckets.size(), before.buckets.size()); ++i) {
    all.buckets[i].second -= before.buckets[i].second;
  }
  all.device -= before.device;
  all.queue -= before.queue;
  all.above -= before.above;
  return all;
}

// The bucket's upper bound.
inline double quantile_of(const Waits& waits, double q) {
  for (const auto& [bound, count] : waits.buckets) {
    if (count >= q * waits.count) return bound;
  }
  return INFINITY;
}

class SyncTest : public LatencyTest {
 protected:
  void start(const std::vector<std::string>& more = {}) {
    start_agent(more);
    if (IsSkipped() || HasFatalFailure()) return;
    ASSERT_TRUE(eventually([&] { return syncs_were_tried(*agent); }, 120s)) << agent->log();
    for (const std::string name :
         {"fsync", "fdatasync", "msync", "sync_file_range", "io_uring_fsync", "io_uring_range"}) {
      ASSERT_TRUE(agent->sees(program(name), 1)) << name << "\n" << agent->log();
    }
  }

  // Of a volume without a claim, nothing until its first sync: zeros.
  [[nodiscard]] Waits waits(const std::string& volume, const std::string& type = "csi",
                            const std::string& uid = kPod,
                            const std::string& family = "sync_latency_seconds",
                            const std::string& label = "") const {
    const Metrics metrics = agent->metrics();
    const auto value = [&](const std::string& metric, const std::string& more) {
      const auto it = metrics.find(pod_series(metric, uid, volume, type, more));
      return it == metrics.end() ? 0 : it->second;
    };
    Waits all;
    all.count = value(family + "_count", label);
    all.seconds = value(family + "_sum", label);
    for (const double bound : kIoBounds) {
      std::ostringstream text;
      text << bound;
      all.buckets.emplace_back(bound,
                               value(family + "_bucket", label + ",le=\"" + text.str() + "\""));
    }
    all.device = value("wait_seconds_total", ",cause=\"device\"");
    all.queue = value("wait_seconds_total", ",cause=\"queue\"");
    all.above = value("wait_seconds_total", ",cause=\"above\"");
    return all;
  }

  std::string ext4_claim(const std::string& volume) const {
    const std::string where = node->csi_dir(kPod, volume);
    node->mount_image(node->image("ext4", 64 << 20), "ext4", where);
    return where;
  }
};

// A disk on a filesystem of ours: as slow as we like.
class SlowDiskTest : public SyncTest {
 protected:
  void SetUp() override {
    SyncTest::SetUp();
    if (IsSkipped()) return;
    make_directories(node->directory() + "/slow");
    slow.emplace(node->directory() + "/slow", node->image("ext4", 256 << 20));
    device = attach_loop(node->directory() + "/slow/disk");
    where = node->directory() + "/disk";
    make_directories(where);
  }
  void TearDown() override {
    agent.reset();
    if (slow) {
      slow->delay(0);
      for (auto mount = mounts.rbegin(); mount != mounts.rend(); ++mount) Node::unmount(*mount);
      detach_loop(device);
    }
    slow.reset();
    SyncTest::TearDown();
  }
  void mount(const std::string& at) {
    Node::mount(device, at, "ext4", 0);
    mounts.push_back(at);
  }

  std::optional<StallFs> slow;
  std::string device;
  std::string where;
  std::vector<std::string> mounts;
};

}  // namespace volumeter::test
