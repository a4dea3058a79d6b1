#include "measure/usage/usage.h"

#include <sys/statfs.h>
#include <sys/statvfs.h>

#include <algorithm>
#include <cerrno>
#include <limits>
#include <utility>

#include "measure/usage/usage_metrics.h"

namespace volumeter {
namespace {

int sample(int fd, std::uint64_t /*argument*/, SampleAnswer& answer) {
  struct statfs st {};
  if (::fstatfs(fd, &st) != 0) return errno;
  answer.store(
      StatfsPayload{st.f_blocks, st.f_bfree, st.f_bavail,
                    static_cast<std::uint64_t>(st.f_frsize != 0 ? st.f_frsize : st.f_bsize),
                    st.f_files, st.f_ffree, static_cast<std::uint64_t>(st.f_flags)});
  return 0;
}

std::optional<std::uint64_t> bytes(std::uint64_t blocks, std::uint64_t size) {
  std::uint64_t product = 0;
  if (size == 0 || __builtin_mul_overflow(blocks, size, &product)) return std::nullopt;
  return product;
}

// What a volume that shares a filesystem was promised.
std::optional<std::uint64_t> promised(const Inventory& inventory, const Volume& volume) {
  return volume.claim ? inventory.claims[*volume.claim].requested_bytes : volume.size_limit;
}

// Does anything break at 100 %? Absent where nobody can tell: a share's server may enforce a limit,
// and what was promised nothing has no 100 %.
std::optional<bool> enforced(const Inventory& inventory, const Volume& volume,
                             const TreeUse* tree) {
  if (volume.mode == VolumeMode::kBlock || (volume.target && !volume.shares_filesystem))
    return true;
  if (tree != nullptr && tree->limit_bytes) return true;
  if (!promised(inventory, volume)) return std::nullopt;
  if (volume.kind == VolumeKind::kEmptyDir) return true;  // the kubelet evicts the pod
  const bool local = volume.target && inventory.targets[*volume.target].walk;
  return local ? std::optional(false) : std::nullopt;
}

class UsageMeasurer final : public SampledMeasurer {
 public:
  [[nodiscard]] std::string_view name() const override { return "usage"; }
  [[nodiscard]] std::vector<const MetricDesc*> families() const override {
    return usage_families();
  }
  [[nodiscard]] SampleFunction function() const override { return sample; }

  // Every one: shared filesystems too, because the answer says that the volume responds.
  [[nodiscard]] std::vector<std::size_t> targets(const Inventory& inventory) const override {
    std::vector<std::size_t> all;
    for (std::size_t i = 0; i < inventory.targets.size(); ++i) all.push_back(i);
    return all;
  }

  // Where statfs answers for the volume, or nothing can, the inventory says so.
  void describe(const Inventory& inventory, MeasurementSet& out) const override {
    for (const Subject& subject : inventory.subjects) {
      if (subject.hidden || method_changes(inventory, subject)) continue;
      const bool alone = std::any_of(subject.volumes.begin(), subject.volumes.end(),
                                     [&](std::size_t i) { return inventory.volumes[i].target; });
      const UsageMethod method = alone ? UsageMethod::kStatfs : UsageMethod::kNone;
      out.add(usage_method_metric(), subject, {std::string(to_string(method))}, 1);
    }
  }

  void report(const std::vector<const TargetState*>& states, Snapshot& out) override {
    const Inventory& inventory = *out.inventory;
    for (std::size_t i = 0; i < inventory.volumes.size(); ++i) {
      read_volume(inventory.volumes[i], states, out, out.volumes[i]);
    }
    for (std::size_t i = 0; i < inventory.filesystems.size(); ++i) {
      const Filesystem& filesystem = inventory.filesystems[i];
      read(states[filesystem.target], out.filesystems[i]);
      if (out.filesystems[i].usage) {
        add_usage(out.measurements, filesystem, *out.filesystems[i].usage);
      }
    }
    for (std::size_t i = 0; i < inventory.subjects.size(); ++i) report_subject(i, out);
    add_ephemeral(out);
    add_deleted_time(out);
  }

 private:
  static void read(const TargetState* state, Reading& reading) {
    if (state == nullptr || !state->answer) return;
    const auto statfs = state->answer->load<StatfsPayload>();
    reading.method = UsageMethod::kStatfs;
    reading.usage = to_usage(statfs);
    reading.read_only = (statfs.flags & ST_RDONLY) != 0;
    reading.measured_at = state->answered_at;
  }

  static void read_volume(const Volume& volume, const std::vector<const TargetState*>& states,
                          const Snapshot& out, Reading& reading) {
    if (volume.mode == VolumeMode::kBlock) {
      if (volume.device_bytes) reading.usage.emplace().capacity = volume.device_bytes;
      return;
    }
    if (!volume.target) return;
    read(states[*volume.target], reading);
    if (volume.shares_filesystem) read_tree(volume, out, reading);
  }

  // `reading` holds what statfs answered: the filesystem's numbers, unless a project answers.
  static void read_tree(const Volume& volume, const Snapshot& out, Reading& reading) {
    const TreeUse& tree = out.trees[*volume.target];
    const Reading statfs = std::exchange(reading, {});
    reading.read_only = statfs.read_only;
    reading.walking = tree.walking;
    reading.method = tree.method;
    if (tree.method == UsageMethod::kNone) return;
    reading.last_write = tree.last_write;
    Usage& usage = reading.usage.emplace();
    if (tree.method == UsageMethod::kStatfsProject && statfs.usage &&
        statfs.usage->capacity == tree.limit_bytes) {
      usage = *statfs.usage;
      reading.measured_at = statfs.measured_at;
      if (!tree.limit_inodes || usage.inodes != tree.limit_inodes) {
        usage.inodes.reset();
        usage.inodes_free.reset();
        usage.inodes_used = tree.inodes;
      }
      return;
    }
    reading.measured_at = tree.measured_at;
    usage.used = tree.bytes;
    usage.inodes_used = tree.inodes;
    usage.capacity = tree.limit_bytes ? tree.limit_bytes : promised(*out.inventory, volume);
    if (tree.limit_bytes) usage.available = rest(*tree.limit_bytes, tree.bytes);
    usage.inodes = tree.limit_inodes;
    if (tree.limit_inodes && tree.inodes) {
      usage.inodes_free = rest(*tree.limit_inodes, *tree.inodes);
    }
  }

  static std::uint64_t rest(std::uint64_t limit, std::uint64_t used) {
    return limit > used ? limit - used : 0;
  }

  // Several pods can use one claim: the first volume that has an answer speaks for it.
  void report_subject(std::size_t index, Snapshot& out) {
    const Inventory& inventory = *out.inventory;
    const Subject& subject = inventory.subjects[index];
    if (subject.hidden) return;
    std::size_t speaker = subject.volumes.front();
    for (const std::size_t i : subject.volumes) {
      const bool better = out.volumes[i].usage && !out.volumes[speaker].usage;
      if (better || (!out.volumes[speaker].usage && out.volumes[i].walking)) speaker = i;
    }
    const Reading& answer = out.volumes[speaker];
    const Volume& volume = inventory.volumes[speaker];
    if (method_changes(inventory, subject)) {
      out.measurements.add(usage_method_metric().for_subject(subject),
                           methods_.get(out.inventory, index, to_string(answer.method)), 1);
    }
    const TreeUse* tree =
        volume.target && volume.shares_filesystem ? &out.trees[*volume.target] : nullptr;
    if (answer.usage) add_usage(out.measurements, subject, *answer.usage);
    if (answer.measured_at) last_measured_.add(out, index, *answer.measured_at);
    if (tree != nullptr) add_walk(out.measurements, subject, answer, *tree);
    // All volumes of a subject are one directory.
    if (volume.target && out.deleted[*volume.target]) {
      add_deleted_open(out.measurements, subject, out.deleted[*volume.target]->bytes);
    }
    // Without a claim only where it says something: a filesystem of its own is always a limit.
    if (!subject.claim && !volume.shares_filesystem) return;
    if (const auto yes = enforced(inventory, volume, tree)) {
      add_enforced(out.measurements, subject, *yes);
    }
  }

  // By what a quota, or a walk, has to say.
  static bool method_changes(const Inventory& inventory, const Subject& subject) {
    return std::any_of(subject.volumes.begin(), subject.volumes.end(), [&](std::size_t i) {
      return inventory.volumes[i].target && inventory.volumes[i].shares_filesystem;
    });
  }

  LastMeasured last_measured_{"usage"};
  ExtendedLabels methods_;
};

}  // namespace

Usage to_usage(const StatfsPayload& st) {
  Usage usage;
  usage.capacity = bytes(st.blocks, st.fragment_size);
  if (!usage.capacity) return usage;
  if (st.blocks_available <= st.blocks) {
    usage.available = bytes(st.blocks_available, st.fragment_size);
  }
  if (st.blocks_free <= st.blocks) {
    usage.used = bytes(st.blocks - st.blocks_free, st.fragment_size);
  }
  if (st.files == 0 || st.files == std::numeric_limits<std::uint64_t>::max()) return usage;
  usage.inodes = st.files;
  if (st.files_free > st.files) return usage;
  usage.inodes_free = st.files_free;
  usage.inodes_used = st.files - st.files_free;
  return usage;
}

std::unique_ptr<Measurer> make_usage_measurer() { return std::make_unique<UsageMeasurer>(); }

}  // namespace volumeter
