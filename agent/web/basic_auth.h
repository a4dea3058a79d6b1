// Names and passwords against bcrypt hashes. A wrong name costs as much time as a wrong password.
#pragma once

#include <array>
#include <chrono>
#include <map>
#include <mutex>
#include <set>
#include <string>

namespace volumeter {

class BasicAuth {
 public:
  enum class Answer { kAllowed, kRefused, kTooMany };
  using Clock = std::chrono::steady_clock;

  BasicAuth();

  // Replaces the users; what was allowed before is asked again.
  void set_users(std::map<std::string, std::string> bcrypt_by_name);

  // Thread-safe. The first time some 50 ms of CPU (bcrypt), then microseconds: what was allowed is
  // remembered by a salted SHA-256. At most ten hashes a second are computed: more answer kTooMany,
  // so that guessing can't keep scrapes waiting.
  Answer check(const std::string& name, const std::string& password, Clock::time_point now);

 private:
  using Digest = std::array<unsigned char, 32>;
  [[nodiscard]] Digest digest(const std::string& name, const std::string& password) const;
  bool take_token(Clock::time_point now);

  std::mutex mutex_;
  std::array<unsigned char, 32> salt_{};
  std::map<std::string, std::string> users_;
  std::set<Digest> allowed_;
  double tokens_ = 0;
  Clock::time_point counted_;
};

}  // namespace volumeter
