// The daemon's side of the programs' memory, with the counts that the programs would have made.
#include "measure/latency/call_accounts.h"

#include <gtest/gtest.h>

#include "measure/latency/call_metrics.h"
#include "volumeter/measurement.h"

namespace volumeter {
namespace {

class CallAccountsTest : public testing::Test {
 protected:
  CallAccountsTest() { accounts_.adopt(shared_); }

  // A claim that is `root` of the filesystem on `device`; returns the subject.
  std::size_t claim(const std::string& name, unsigned device, const std::string& root,
                    std::uint64_t inode) {
    Target target{{7, device}, root, "/mnt/" + name, "ext4", false, "", false};
    inventory_.targets.push_back(target);
    inodes_.push_back(inode);
    Volume volume;
    volume.target = inventory_.targets.size() - 1;
    volume.shares_filesystem = root != "/";
    inventory_.volumes.push_back(volume);
    Subject subject;
    subject.claim = 0;
    subject.labels = make_labels({"ns", name});
    subject.volumes = {inventory_.volumes.size() - 1};
    inventory_.subjects.push_back(subject);
    return inventory_.subjects.size() - 1;
  }
  void block_device(std::size_t subject, bool bio_based = false) {
    inventory_.devices.emplace_back().block.bio_based = bio_based;
    Volume& volume = inventory_.volumes[inventory_.subjects[subject].volumes.front()];
    volume.devices = {inventory_.devices.size() - 1};
  }
  void watch() {
    accounts_.watch(inventory_, inodes_,
                    [](std::size_t device) { return static_cast<std::uint16_t>(40 + device); });
  }

  // As call.bpf.c finds it; null: nobody watches.
  call_entry* entry(unsigned device, std::uint64_t inode) {
    for (call_entry& one : shared_->call.tables[shared_->call.active]) {
      if (one.device == (7U << 20U | device) && one.inode == inode) return &one;
    }
    return nullptr;
  }
  // A sync of four milliseconds, of which its device was at work for one and a queue's was one.
  void sync(unsigned device, std::uint64_t inode) {
    call_cell& cell = shared_->call.cells[entry(device, inode)->slot][2];
    cell.operations[CALL_SYNC].buckets[7]++;
    cell.operations[CALL_SYNC].ns += 4'000'000;
    cell.device_ns += 1'000'000;
    cell.queue_ns += 1'000'000;
    cell.above_ns += 2'000'000;
  }
  std::optional<std::uint64_t> syncs(std::size_t subject) {
    const auto all = accounts_.subjects(inventory_);
    if (!all[subject]) return std::nullopt;
    return all[subject]->counts.operations[CALL_SYNC].buckets[7];
  }
  std::map<std::string, double> waits() {
    MeasurementSet out;
    add_call_times(inventory_, accounts_.subjects(inventory_), {true, false, false}, out);
    std::map<std::string, double> all;
    for (const Family& family : out.families()) {
      if (family.desc->name != "volumeter_volume_wait_seconds_total") continue;
      for (const Series& series : family.series) all[series.labels->back()] = series.value;
    }
    return all;
  }

  SharedMemory shared_ = std::make_shared<latency_memory>();
  CallAccounts accounts_;
  Inventory inventory_;
  std::vector<std::uint64_t> inodes_;
};

TEST_F(CallAccountsTest, AFilesystemOfItsOwnIsWatchedWholeAndADirectoryByItsInode) {
  const auto alone = claim("alone", 1, "/", 2);
  const auto directory = claim("directory", 2, "/a", 11);
  const auto beside = claim("beside", 2, "/b", 12);
  watch();
  ASSERT_NE(entry(1, 0), nullptr);
  EXPECT_EQ(entry(1, 2), nullptr);
  ASSERT_NE(entry(2, 0), nullptr);
  EXPECT_EQ(entry(2, 0)->slot, CALL_SHARED);
  sync(1, 0);
  sync(2, 11);
  EXPECT_EQ(syncs(alone), 1U);
  EXPECT_EQ(syncs(directory), 1U);
  EXPECT_EQ(syncs(beside), 0U);
}

TEST_F(CallAccountsTest, ADirectoryThatHasNotAnsweredYetIsNotKnown) {
  const auto directory = claim("directory", 2, "/a", 0);
  watch();
  EXPECT_FALSE(accounts_.any());
  EXPECT_EQ(syncs(directory), std::nullopt);
}

// Each of a btrfs's subvolumes has a root with the same number.
TEST_F(CallAccountsTest, DirectoriesThatCannotBeToldApartAreNobodys) {
  const auto a = claim("a", 2, "/a", 256);
  const auto b = claim("b", 2, "/b", 256);
  watch();
  EXPECT_EQ(entry(2, 256), nullptr);
  EXPECT_EQ(syncs(a), std::nullopt);
  EXPECT_EQ(syncs(b), std::nullopt);
}

TEST_F(CallAccountsTest, OneDirectoryOfTwoVolumesIsBoths) {
  const auto a = claim("a", 2, "/a", 11);
  const auto again = claim("again", 2, "/a", 11);
  watch();
  sync(2, 11);
  EXPECT_EQ(syncs(a), 1U);
  EXPECT_EQ(syncs(again), 1U);
}

TEST_F(CallAccountsTest, AnotherClaimInTheSamePlaceBeginsAtZero) {
  claim("a", 1, "/", 2);
  watch();
  sync(1, 0);
  watch();
  EXPECT_EQ(syncs(0), 1U) << "it keeps what it has";
  inventory_.subjects[0].labels = make_labels({"ns", "next"});
  watch();
  EXPECT_EQ(syncs(0), 0U);
}

// As a claim has it that two pods mount, each on a superblock of its own.
TEST_F(CallAccountsTest, WhatAPlaceHadCountedStaysWhenItLeaves) {
  const auto volume = claim("a", 1, "/", 2);
  claim("other", 2, "/", 2);
  inventory_.subjects.pop_back();
  inventory_.subjects[volume].volumes = {0, 1};
  watch();
  sync(1, 0);
  sync(2, 0);
  EXPECT_EQ(syncs(volume), 2U);
  inventory_.subjects[volume].volumes = {0};
  watch();
  EXPECT_EQ(syncs(volume), 2U);
  sync(1, 0);
  EXPECT_EQ(syncs(volume), 3U);
}

// A hostPath on a filesystem that is a claim's, too; and one directory in two ways.
TEST_F(CallAccountsTest, AFilesystemWithADirectoryThatIsAVolumeIsToldByItsRoot) {
  const auto whole = claim("whole", 2, "/", 2);
  const auto inside = claim("inside", 2, "/mnt/a", 11);
  const auto again = claim("again", 2, "/", 11);
  inventory_.targets[2].below = "mnt/a";
  inventory_.volumes[2].shares_filesystem = true;
  watch();
  sync(2, 2);
  sync(2, 11);
  sync(2, 11);
  EXPECT_EQ(syncs(whole), 1U);
  EXPECT_EQ(syncs(inside), 2U);
  EXPECT_EQ(syncs(again), 2U);
}

TEST_F(CallAccountsTest, AWindowOnTheNodeIsNobodys) {
  const auto window = claim("window", 2, "/var", 11);
  inventory_.volumes[0].window = true;
  watch();
  EXPECT_EQ(syncs(window), std::nullopt);
}

// Without its programs nobody has counted: that isn't none.
TEST_F(CallAccountsTest, WhatIsNotTimedIsAbsent) {
  claim("a", 1, "/", 2);
  watch();
  MeasurementSet out;
  add_call_times(inventory_, accounts_.subjects(inventory_), {false, false, false}, out);
  EXPECT_TRUE(out.families().empty());
  add_call_times(inventory_, accounts_.subjects(inventory_), {false, true, false}, out);
  EXPECT_EQ(out.families().size(), 1U);
}

TEST_F(CallAccountsTest, TheWaitIsSplitAsFarAsItIsKnown) {
  const auto volume = claim("a", 1, "/", 2);
  watch();
  sync(1, 0);
  EXPECT_TRUE(waits().empty()) << "no block device";
  EXPECT_EQ(entry(1, 0)->block_slot, CALL_NO_DEVICE);
  block_device(volume);
  watch();
  EXPECT_EQ(entry(1, 0)->block_slot, 40);
  EXPECT_EQ(waits(),
            (std::map<std::string, double>{{"device", 0.001}, {"queue", 0.001}, {"above", 0.002}}));
  inventory_.devices[0].block.bio_based = true;
  watch();
  EXPECT_EQ(waits().count("queue"), 0U) << "bios don't wait for their device where one can see it";
  inventory_.devices.emplace_back();
  inventory_.volumes[0].devices = {0, 1};
  watch();
  EXPECT_TRUE(waits().empty()) << "which of two devices it was nobody knows";
}

TEST_F(CallAccountsTest, WithTooManyVolumesTheRestIsUnknown) {
  for (unsigned i = 0; i < CALL_SLOTS + 3; ++i) claim("c" + std::to_string(i), i + 1, "/", 2);
  watch();
  std::size_t known = 0;
  for (const auto& one : accounts_.subjects(inventory_)) known += one ? 1U : 0U;
  EXPECT_EQ(known, CALL_SLOTS);
}

// Series have a budget: a pod's own volumes have theirs when they are synced at all.
TEST_F(CallAccountsTest, AVolumeWithoutAClaimShowsFromItsFirstSyncOn) {
  const auto volume = claim("a", 1, "/", 2);
  inventory_.subjects[volume].claim.reset();
  inventory_.subjects[volume].labels = make_labels({"ns", "pod", "a", "emptyDir"});
  watch();
  const auto families = [&] {
    MeasurementSet out;
    add_call_times(inventory_, accounts_.subjects(inventory_), {true, false, false}, out);
    return out.families().size();
  };
  EXPECT_EQ(families(), 0U);
  sync(1, 0);
  EXPECT_EQ(families(), 1U);
}

}  // namespace
}  // namespace volumeter
