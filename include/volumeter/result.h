// Result<T>: a value, or an error that says what went wrong and where.
//
// Exceptions are used only for configuration errors at start. Everything that can fail
// because of the host (a file, a mount, an API) returns a Result and is handled by its caller.
#pragma once

#include <cstring>
#include <string>
#include <utility>
#include <variant>

namespace volumeter {

// `message` names the culprit (a path, a URL, a line); `code` is an errno, or 0 when the
// failure did not come from a system call.
struct Error {
  std::string message;
  int code = 0;

  static Error from_errno(std::string what, int code) {
    return {std::move(what) + ": " + std::strerror(code), code};
  }
};

template <class T>
class [[nodiscard]] Result {
 public:
  Result(T value) : state_(std::in_place_index<0>, std::move(value)) {}      // NOLINT
  Result(Error error) : state_(std::in_place_index<1>, std::move(error)) {}  // NOLINT

  [[nodiscard]] bool ok() const { return state_.index() == 0; }
  explicit operator bool() const { return ok(); }

  // Precondition: ok().
  [[nodiscard]] const T& value() const& { return std::get<0>(state_); }
  [[nodiscard]] T& value() & { return std::get<0>(state_); }
  [[nodiscard]] T&& value() && { return std::get<0>(std::move(state_)); }
  const T* operator->() const { return &std::get<0>(state_); }
  T& operator*() { return std::get<0>(state_); }
  T* operator->() { return &std::get<0>(state_); }
  const T& operator*() const { return std::get<0>(state_); }

  // Precondition: !ok().
  [[nodiscard]] const Error& error() const { return std::get<1>(state_); }

 private:
  std::variant<T, Error> state_;
};

struct Done {};
using Status = Result<Done>;

}  // namespace volumeter
