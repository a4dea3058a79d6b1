#include "measure/usage/inode_set.h"

#include <utility>

namespace volumeter {

InodeSet::Slot& InodeSet::find(std::vector<Slot>& slots, std::uint64_t chunk) const {
  // Fibonacci hashing: neighbouring chunks land far apart.
  std::size_t at = (chunk * 0x9E3779B97F4A7C15U) >> 20U;
  for (;; ++at) {
    Slot& slot = slots[at & (slots.size() - 1)];
    if (slot.mask == 0 || slot.chunk == chunk) return slot;
  }
}

bool InodeSet::grow() {
  const std::size_t size = slots_.empty() ? 64 : slots_.size() * 2;
  if (size * sizeof(Slot) > limit_) return false;
  std::vector<Slot> larger(size);
  for (const Slot& slot : slots_) {
    if (slot.mask != 0) find(larger, slot.chunk) = slot;
  }
  slots_ = std::move(larger);
  return true;
}

InodeSet::Added InodeSet::add(std::uint64_t inode) {
  const std::uint64_t chunk = inode / 64;
  const std::uint64_t bit = std::uint64_t{1} << (inode % 64);
  if (!slots_.empty()) {
    Slot& slot = find(slots_, chunk);
    if (slot.mask != 0) {
      if ((slot.mask & bit) != 0) return Added::kKnown;
      slot.mask |= bit;
      return Added::kNew;
    }
  }
  if (4 * (used_ + 1) > 3 * slots_.size() && !grow()) return Added::kFull;
  find(slots_, chunk) = {chunk, bit};
  ++used_;
  return Added::kNew;
}

}  // namespace volumeter
