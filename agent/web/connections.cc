#include "web/connections.h"

#include <sys/socket.h>

#include <tuple>
#include <utility>

namespace volumeter {

void Connections::shut(Entry& entry) {
  entry.shut = true;
  ::shutdown(entry.socket, SHUT_RDWR);
}

// Counts what is open of `address` (null: of all); at the limit, the least deserving one goes:
// first who never asked for anything, then who has been silent longest, then who takes longest.
void Connections::make_room(const std::string* address, std::size_t limit) {
  std::size_t count = 0;
  Entry* victim = nullptr;
  for (auto& [id, entry] : entries_) {
    if (entry.shut || (address != nullptr && entry.address != *address)) continue;
    ++count;
    if (victim == nullptr || std::tie(entry.busy, entry.asked, entry.since) <
                                 std::tie(victim->busy, victim->asked, victim->since)) {
      victim = &entry;
    }
  }
  if (count >= limit && victim != nullptr) shut(*victim);
}

void Connections::opened(Id id, int socket, std::string address, Clock::time_point now) {
  const std::lock_guard lock(mutex_);
  make_room(&address, limits_.per_address);
  make_room(nullptr, limits_.total);
  entries_[id] = {socket, std::move(address), now, false, false, false};
}

void Connections::request_began(Id id, Clock::time_point now) {
  const std::lock_guard lock(mutex_);
  if (const auto it = entries_.find(id); it != entries_.end()) {
    it->second.busy = true;
    it->second.asked = true;
    it->second.since = now;
  }
}

void Connections::request_ended(Id id, Clock::time_point now) {
  const std::lock_guard lock(mutex_);
  if (const auto it = entries_.find(id); it != entries_.end()) {
    it->second.busy = false;
    it->second.since = now;
  }
}

void Connections::closed(Id id) {
  const std::lock_guard lock(mutex_);
  entries_.erase(id);
}

void Connections::sweep(Clock::time_point now) {
  const std::lock_guard lock(mutex_);
  for (auto& [id, entry] : entries_) {
    if (entry.shut) continue;
    const auto deadline = entry.busy    ? limits_.answer_deadline
                          : entry.asked ? limits_.idle_deadline
                                        : limits_.header_deadline;
    if (now - entry.since > deadline) {
      shut(entry);
    }
  }
}

void Connections::drop_slowest(Id id) {
  const std::lock_guard lock(mutex_);
  Entry* slowest = nullptr;
  for (auto& [other, entry] : entries_) {
    if (other == id || !entry.busy || entry.shut) continue;
    if (slowest == nullptr || entry.since < slowest->since) slowest = &entry;
  }
  if (slowest != nullptr) shut(*slowest);
}

std::size_t Connections::size() const {
  const std::lock_guard lock(mutex_);
  return entries_.size();
}

}  // namespace volumeter
