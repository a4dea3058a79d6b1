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
// first who never asked for anything, then who has been silent longest.
void Connections::make_room(const std::string* address, std::size_t limit) {
  std::size_t count = 0;
  Entry* victim = nullptr;
  for (auto& [id, entry] : entries_) {
    if (entry.shut || (address != nullptr && entry.address != *address)) continue;
    ++count;
    if (entry.busy) continue;
    if (victim == nullptr ||
        std::tie(entry.asked, entry.since) < std::tie(victim->asked, victim->since)) {
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
    if (entry.shut || entry.busy) continue;
    if (now - entry.since > (entry.asked ? limits_.idle_deadline : limits_.header_deadline)) {
      shut(entry);
    }
  }
}

std::size_t Connections::size() const {
  const std::lock_guard lock(mutex_);
  return entries_.size();
}

}  // namespace volumeter
