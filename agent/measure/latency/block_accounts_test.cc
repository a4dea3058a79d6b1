// The daemon's side of the programs' memory, with the counts that the programs would have made.
#include "measure/latency/block_accounts.h"

#include <gtest/gtest.h>

#include "volumeter/measurement.h"

namespace volumeter {
namespace {

constexpr BlockPrograms kAll = {true, true, true};

class BlockAccountsTest : public testing::Test {
 protected:
  BlockAccountsTest() : shared_(std::make_shared<latency_memory>()) {
    memory_ = &shared_->block;
    accounts_.adopt(shared_);
  }

  std::size_t device(const std::string& name, const std::string& disk = "") {
    Device& device = inventory_.devices.emplace_back();
    device.block.name = name;
    device.block.disk = disk;
    device.block.number = {8, static_cast<unsigned>(inventory_.devices.size())};
    device.block.sequence = 1;
    device.labels = make_labels({name});
    device.used = true;
    return inventory_.devices.size() - 1;
  }
  std::size_t subject(const std::string& name) {
    inventory_.subjects.emplace_back().labels = make_labels({"ns", name});
    return inventory_.subjects.size() - 1;
  }
  void own(std::size_t subject, std::size_t device) {
    inventory_.subjects[subject].devices.push_back(device);
    inventory_.devices[device].owner = subject;
  }
  void share(std::size_t subject, std::size_t device, std::uint64_t cgroup) {
    inventory_.pods.emplace_back().cgroup = cgroup;
    inventory_.pod_devices.push_back({device, inventory_.pods.size() - 1, subject});
  }
  void watch() { accounts_.watch(std::make_shared<const Inventory>(inventory_)); }

  // As block.bpf.c does: `count` reads of a bucket, if somebody watches.
  void complete(std::size_t device, std::uint64_t count, std::uint64_t cgroup = 0) {
    const DeviceNumber number = inventory_.devices[device].block.number;
    for (const block_entry& entry : memory_->tables[memory_->active]) {
      if (entry.device != (number.major << 20U | number.minor) || entry.cgroup != cgroup) continue;
      memory_->cells[entry.slot][3].operations[BLOCK_READ].buckets[2] += count;
    }
  }
  std::uint16_t slot_of(std::size_t device) {
    const DeviceNumber number = inventory_.devices[device].block.number;
    for (const block_entry& entry : memory_->tables[memory_->active]) {
      if (entry.device == (number.major << 20U | number.minor)) return entry.slot;
    }
    return 0;
  }
  std::optional<std::uint64_t> reads(const std::optional<BlockAccount>& account) {
    if (!account) return std::nullopt;
    return account->counts.operations[BLOCK_READ].buckets[2];
  }
  std::optional<std::uint64_t> subject_reads(std::size_t subject,
                                             const BlockPrograms& programs = kAll) {
    return reads(accounts_.subjects(inventory_, programs)[subject]);
  }
  std::optional<std::uint64_t> device_reads(std::size_t device) {
    return reads(accounts_.devices(inventory_, kAll)[device]);
  }

  SharedMemory shared_;
  block_memory* memory_ = nullptr;
  BlockAccounts accounts_;
  Inventory inventory_;
};

// As it happens: programs are attached after the first look at the node.
TEST_F(BlockAccountsTest, AnInventoryThatWasThereFirstIsWatched) {
  device("sda");
  BlockAccounts late;
  late.watch(std::make_shared<const Inventory>(inventory_));
  EXPECT_FALSE(late.devices(inventory_, kAll)[0]);
  late.adopt(shared_);
  EXPECT_TRUE(late.devices(inventory_, kAll)[0]);
}

TEST_F(BlockAccountsTest, AVolumesDevicesAddUp) {
  const auto volume = subject("data");
  own(volume, device("sda"));
  own(volume, device("sdb"));
  watch();
  complete(0, 5);
  complete(1, 7);
  EXPECT_EQ(subject_reads(volume), 12U);
  EXPECT_FALSE(subject_reads(volume, {false, false, false})) << "nothing counts";
}

// A sum that shrinks would pass for a counter that began anew.
TEST_F(BlockAccountsTest, APodThatEndsTakesNothingAway) {
  const auto disk = device("sda");
  const auto volume = subject("shared");
  share(volume, disk, 11);
  share(volume, disk, 12);
  watch();
  complete(disk, 100, 11);
  complete(disk, 10, 12);
  EXPECT_EQ(subject_reads(volume), 110U);
  inventory_.pod_devices.erase(inventory_.pod_devices.begin());
  watch();
  complete(disk, 1, 12);
  EXPECT_EQ(subject_reads(volume), 111U);
}

TEST_F(BlockAccountsTest, ADiskKeepsWhatItsPartitionsDid) {
  const auto disk = device("sda");
  const auto part = device("sda1", "sda");
  watch();
  complete(disk, 3);
  complete(part, 40);
  EXPECT_EQ(device_reads(disk), 43U);
  EXPECT_EQ(device_reads(part), 40U);
  own(subject("new"), part);  // another slot
  watch();
  EXPECT_EQ(subject_reads(0), 0U);
  EXPECT_EQ(device_reads(disk), 43U);
  complete(part, 5);
  EXPECT_EQ(device_reads(disk), 48U);
}

TEST_F(BlockAccountsTest, WhatWentByUnseenMakesTheRestUnknown) {
  const auto volume = subject("data");
  own(volume, device("sda"));
  watch();
  complete(0, 5);
  memory_->cells[slot_of(0)][1].untimed = 1;
  EXPECT_FALSE(subject_reads(volume, {true, false, true}));
  EXPECT_EQ(subject_reads(volume), 5U) << "from now on all is seen";
}

TEST_F(BlockAccountsTest, WhatNobodyTellsIsUnknown) {
  const auto on_partition = subject("partition");
  device("sda");
  own(on_partition, device("sda1", "sda"));
  const auto on_bios = subject("bios");
  own(on_bios, device("dm-0"));
  inventory_.devices.back().block.bio_based = true;
  const auto uncounted = subject("uncounted");
  device("sdb");
  own(uncounted, device("sdb1", "sdb"));
  inventory_.devices.back().block.accounts = false;
  watch();
  const auto all = accounts_.subjects(inventory_, kAll);
  EXPECT_FALSE(all[on_partition]->flushes_known) << "a flush is the disk's";
  EXPECT_TRUE(all[on_partition]->queue_known);
  EXPECT_TRUE(all[on_bios]->flushes_known);
  EXPECT_FALSE(all[on_bios]->queue_known) << "bios aren't queued here";
  EXPECT_FALSE(all[uncounted]) << "its requests don't name the partition";
  EXPECT_FALSE(accounts_.subjects(inventory_, {true, true, false})[on_bios]);
}

}  // namespace
}  // namespace volumeter
