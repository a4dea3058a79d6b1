#include "web/basic_auth.h"

#include <crypt.h>
#include <gnutls/crypto.h>
#include <gnutls/gnutls.h>

#include <algorithm>
#include <memory>

namespace volumeter {
namespace {

constexpr double kHashesASecond = 10;
constexpr std::size_t kRemembered = 100;
// Of no password: what unknown names are held against.
constexpr const char* kNobody = "$2b$10$7EqJtq98hPqEX7fNZaFWoO.hDbRjzqYdLCYoPm8wYyJ1c5wZqQ8uS";

bool matches(const std::string& password, const std::string& hash) {
  const auto data = std::make_unique<crypt_data>();
  const char* computed = ::crypt_r(password.c_str(), hash.c_str(), data.get());
  if (computed == nullptr || std::string(computed).size() != hash.size()) return false;
  return gnutls_memcmp(computed, hash.data(), hash.size()) == 0;
}

}  // namespace

BasicAuth::BasicAuth() : tokens_(kHashesASecond) {
  gnutls_rnd(GNUTLS_RND_KEY, salt_.data(), salt_.size());
}

void BasicAuth::set_users(std::map<std::string, std::string> bcrypt_by_name) {
  const std::lock_guard lock(mutex_);
  if (users_ == bcrypt_by_name) return;
  users_ = std::move(bcrypt_by_name);
  allowed_.clear();
}

BasicAuth::Digest BasicAuth::digest(const std::string& name, const std::string& password) const {
  std::string text(salt_.begin(), salt_.end());
  text.append(name).append(1, '\0').append(password);
  Digest out{};
  gnutls_hash_fast(GNUTLS_DIG_SHA256, text.data(), text.size(), out.data());
  return out;
}

bool BasicAuth::take_token(Clock::time_point now) {
  const double passed = std::chrono::duration<double>(now - counted_).count();
  tokens_ = std::min(kHashesASecond, tokens_ + passed * kHashesASecond);
  counted_ = now;
  if (tokens_ < 1) return false;
  tokens_ -= 1;
  return true;
}

BasicAuth::Answer BasicAuth::check(const std::string& name, const std::string& password,
                                   Clock::time_point now) {
  const std::lock_guard lock(mutex_);
  // A C string ends at a NUL, a password needn't.
  if (password.find('\0') != std::string::npos) return Answer::kRefused;
  const Digest key = digest(name, password);
  if (allowed_.contains(key)) return Answer::kAllowed;
  if (!take_token(now)) return Answer::kTooMany;
  const auto user = users_.find(name);
  const bool right = matches(password, user == users_.end() ? kNobody : user->second);
  if (!right || user == users_.end()) return Answer::kRefused;
  if (allowed_.size() >= kRemembered) allowed_.clear();
  allowed_.insert(key);
  return Answer::kAllowed;
}

}  // namespace volumeter
