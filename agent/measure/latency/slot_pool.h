// Numbers of slots in the programs' memory, each lent to a key for as long as that is wanted.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <optional>
#include <utility>
#include <vector>

namespace volumeter {

// Of one thread at a time.
template <class Key>
class SlotPool {
 public:
  explicit SlotPool(std::uint16_t slots) {
    for (std::uint16_t slot = 0; slot < slots; ++slot) free_.push_back(slot);
  }

  using Visit = std::function<void(const Key&, std::uint16_t)>;
  // Each key keeps its slot, new ones get slots that `clear` has been called for, as long as there
  // are any; all others lose theirs, to `release` first. Parallel to `wanted`.
  std::vector<std::optional<std::uint16_t>> assign(const std::vector<Key>& wanted,
                                                   const Visit& clear, const Visit& release) {
    std::map<Key, std::uint16_t> now;
    for (const Key& key : wanted) {
      if (const auto node = used_.extract(key); !node.empty()) now[key] = node.mapped();
    }
    for (const auto& [key, slot] : used_) release(key, slot);
    std::vector<std::optional<std::uint16_t>> slots;
    for (const Key& key : wanted) {
      auto it = now.find(key);
      if (it == now.end() && !free_.empty()) {
        clear(key, free_.front());
        it = now.emplace(key, free_.front()).first;
        free_.pop_front();
      }
      slots.push_back(it == now.end() ? std::nullopt : std::optional(it->second));
    }
    // Not before: the table in use still leads to them.
    for (const auto& [key, slot] : used_) free_.push_back(slot);
    used_ = std::move(now);
    return slots;
  }

  [[nodiscard]] std::optional<std::uint16_t> find(const Key& key) const {
    const auto it = used_.find(key);
    return it == used_.end() ? std::nullopt : std::optional(it->second);
  }

 private:
  std::map<Key, std::uint16_t> used_;
  std::deque<std::uint16_t> free_;  // the longest unused first: a count may be under way
};

}  // namespace volumeter
