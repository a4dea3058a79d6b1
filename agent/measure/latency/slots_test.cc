#include "measure/latency/slots.h"

#include <gtest/gtest.h>

#include <set>

#include "volumeter/measurement.h"

namespace volumeter {
namespace {

Inventory node(std::size_t devices) {
  Inventory inventory;
  for (std::size_t i = 0; i < devices; ++i) {
    Device device;
    device.block.name = "sd" + std::to_string(i);
    device.block.number = {8, static_cast<unsigned>(i)};
    device.block.sequence = i + 1;
    device.labels = make_labels({device.block.name});
    inventory.devices.push_back(device);
  }
  return inventory;
}

void give(Inventory& inventory, std::size_t device, const std::string& claim) {
  Subject subject;
  subject.labels = make_labels({"ns", claim});
  subject.devices = {device};
  inventory.devices[device].owner = inventory.subjects.size();
  inventory.subjects.push_back(subject);
}

class SlotsTest : public testing::Test {
 protected:
  std::vector<BlockWatch> assign(const Inventory& inventory) {
    cleared_.clear();
    lost_ = 0;
    released_.clear();
    return slots_.assign(
        inventory, [this](const SlotKey&, std::uint16_t slot) { cleared_.insert(slot); },
        [this](const SlotKey&, std::uint16_t slot) { released_.insert(slot); }, lost_);
  }
  std::uint16_t slot_of(const Inventory& inventory, std::size_t device) {
    return slots_.find(key_of_device(inventory, device)).value();
  }

  Slots slots_;
  std::set<std::uint16_t> cleared_;
  std::set<std::uint16_t> released_;
  std::size_t lost_ = 0;
};

TEST_F(SlotsTest, ADiskKeepsItsSlotAndANewOneGetsAClearedOne) {
  Inventory inventory = node(2);
  assign(inventory);
  EXPECT_EQ(cleared_.size(), 2U);
  const auto first = slot_of(inventory, 0);
  assign(inventory);
  EXPECT_TRUE(cleared_.empty());
  EXPECT_EQ(slot_of(inventory, 0), first);
  inventory.devices[0].block.sequence = 77;  // another disk has its name and number
  assign(inventory);
  EXPECT_NE(slot_of(inventory, 0), first);
  EXPECT_EQ(cleared_, std::set{slot_of(inventory, 0)});
}

// A claim on a disk that was another's before begins at zero.
TEST_F(SlotsTest, ANewOwnerDoesNotInherit) {
  Inventory before = node(1);
  give(before, 0, "old");
  assign(before);
  const auto first = slot_of(before, 0);
  Inventory after = node(1);
  give(after, 0, "new");
  assign(after);
  EXPECT_NE(slot_of(after, 0), first);
  EXPECT_TRUE(cleared_.contains(slot_of(after, 0)));
  EXPECT_FALSE(slots_.find(key_of_device(before, 0)));
  EXPECT_EQ(released_, std::set{first}) << "its counts can still be read";
}

// The table in use still leads to what was just released.
TEST_F(SlotsTest, WhatIsReleasedIsNotGivenAwayInTheSameBreath) {
  Inventory inventory = node(BLOCK_SLOTS);
  assign(inventory);
  const auto first = slot_of(inventory, 0);
  inventory.devices[0].block.sequence = 9999;
  assign(inventory);
  EXPECT_EQ(lost_, 1U);
  EXPECT_FALSE(cleared_.contains(first));
  assign(inventory);
  EXPECT_EQ(lost_, 0U);
}

TEST_F(SlotsTest, WithTooFewSlotsVolumesComeFirst) {
  Inventory inventory = node(BLOCK_SLOTS + 10);
  give(inventory, BLOCK_SLOTS + 9, "data");
  const auto watches = assign(inventory);
  EXPECT_EQ(lost_, 10U);
  EXPECT_EQ(watches.size(), static_cast<std::size_t>(BLOCK_SLOTS));
  EXPECT_TRUE(slots_.find(key_of_device(inventory, BLOCK_SLOTS + 9)));
}

TEST_F(SlotsTest, PodsOfASharedDiskHaveSlotsOfTheirOwn) {
  Inventory inventory = node(1);
  inventory.devices[0].used = true;
  inventory.pods.resize(2);
  inventory.pods[0].cgroup = 5;
  inventory.pods[1].cgroup = 6;
  for (std::size_t i = 0; i < 2; ++i) {
    Subject subject;
    subject.labels = make_labels({"ns", "claim" + std::to_string(i)});
    inventory.subjects.push_back(subject);
    inventory.pod_devices.push_back({0, i, i});
  }
  const auto watches = assign(inventory);
  ASSERT_EQ(watches.size(), 3U);
  std::set<std::uint16_t> slots;
  for (const BlockWatch& watch : watches) {
    slots.insert(watch.slot);
    EXPECT_EQ((watch.flags & BLOCK_SPLIT) != 0, watch.cgroup == 0);
  }
  EXPECT_EQ(slots.size(), 3U);
}

// As block.bpf.c searches it.
TEST(BlockTable, EveryWatchIsFoundWhereTheProgramLooks) {
  std::vector<BlockWatch> watches;
  for (std::uint16_t i = 0; i < 1000; ++i) {
    watches.push_back({{7, i}, i % 3 == 0 ? std::uint64_t{0} : 0x100000000ULL + i, i, 0});
  }
  std::vector<block_entry> table(BLOCK_ENTRIES);
  EXPECT_EQ(fill_table(watches, table.data()), 0U);
  for (const BlockWatch& watch : watches) {
    const std::uint32_t device = watch.device.major << 20U | watch.device.minor;
    const block_entry* found = nullptr;
    for (std::uint32_t i = 0; i < BLOCK_PROBES; ++i) {
      const auto& entry = table[(block_hash(device, watch.cgroup) + i) & (BLOCK_ENTRIES - 1)];
      if (entry.device == device && entry.cgroup == watch.cgroup) found = &entry;
      if (entry.device == 0) break;
    }
    ASSERT_NE(found, nullptr);
    EXPECT_EQ(found->slot, watch.slot);
  }
  // The same place for too many: those that have none are counted.
  EXPECT_EQ(fill_table(std::vector<BlockWatch>(BLOCK_PROBES + 5, watches[0]),
                       std::vector<block_entry>(BLOCK_ENTRIES).data()),
            5U);
}

TEST(BlockTable, TheProgramsBoundsAreTheMetrics) {
  const std::array<std::uint64_t, BLOCK_BUCKETS - 1> nanoseconds = BLOCK_BOUNDS;
  ASSERT_EQ(nanoseconds.size(), kIoBounds.size());
  for (std::size_t i = 0; i < kIoBounds.size(); ++i) {
    EXPECT_DOUBLE_EQ(static_cast<double>(nanoseconds[i]) / 1e9, kIoBounds[i]);
  }
}

}  // namespace
}  // namespace volumeter
