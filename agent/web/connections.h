// Keeps clients from using up the server's connections: an absolute deadline for a request's
// header, limits in all and per address, and when a limit is reached, room for the newcomer at the
// cost of whoever has waited longest without asking for anything. A scrape asks at once.
//
// Thread-safe: the HTTP thread reports, any thread may sweep.
#pragma once

#include <chrono>
#include <cstddef>
#include <mutex>
#include <string>
#include <unordered_map>

namespace volumeter {

struct ConnectionLimits {
  std::size_t total = 256;
  std::size_t per_address = 64;
  std::chrono::milliseconds header_deadline{5000};
  std::chrono::milliseconds answer_deadline{30000};  // from header to the answer's last byte
  std::chrono::milliseconds idle_deadline{120000};   // between requests on one connection
};

class Connections {
 public:
  using Clock = std::chrono::steady_clock;
  using Id = const void*;

  explicit Connections(ConnectionLimits limits) : limits_(limits) {}

  // A new connection; others are shut down (shutdown(2) on their socket) to make room. `socket`
  // must stay open until closed().
  void opened(Id id, int socket, std::string address, Clock::time_point now);
  void request_began(Id id, Clock::time_point now);  // its header is complete
  void request_ended(Id id, Clock::time_point now);
  void closed(Id id);

  // Shuts down whoever but `id` has been taking its answer longest: a slow reader.
  void drop_slowest(Id id);

  // Shuts down what is past its deadline.
  void sweep(Clock::time_point now);

  [[nodiscard]] std::size_t size() const;

 private:
  struct Entry {
    int socket = -1;
    std::string address;
    Clock::time_point since;  // opened, or its last request ended
    bool asked = false;       // had a request before
    bool busy = false;        // in a request: shut down to make room only when all are
    bool shut = false;
  };
  void make_room(const std::string* address, std::size_t limit);
  static void shut(Entry& entry);

  const ConnectionLimits limits_;
  mutable std::mutex mutex_;
  std::unordered_map<Id, Entry> entries_;  // guarded by mutex_
};

}  // namespace volumeter
