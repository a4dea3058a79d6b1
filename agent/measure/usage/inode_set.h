// A set of inode numbers, compact where they lie close together, as those of files made together
// do: 16 bytes for up to 64 neighbours.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace volumeter {

class InodeSet {
 public:
  // Holds at most `limit` bytes, and for a moment while it grows half as much again.
  explicit InodeSet(std::size_t limit) : limit_(limit) {}

  enum class Added { kNew, kKnown, kFull };
  // kFull: it wasn't known, and there is no room to remember it.
  Added add(std::uint64_t inode);

 private:
  struct Slot {
    std::uint64_t chunk = 0;  // inode / 64
    std::uint64_t mask = 0;   // of those present; 0: the slot is free
  };
  Slot& find(std::vector<Slot>& slots, std::uint64_t chunk) const;
  bool grow();

  std::size_t limit_;
  std::vector<Slot> slots_;  // open addressing; a power of two
  std::size_t used_ = 0;
};

}  // namespace volumeter
