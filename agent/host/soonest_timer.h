// One callback, at the soonest of the times that were asked for since it ran last. Event-loop
// thread only.
#pragma once

#include <chrono>
#include <functional>
#include <optional>
#include <utility>

#include "host/event_loop.h"

namespace volumeter {

class SoonestTimer {
 public:
  SoonestTimer(EventLoop& loop, std::function<void()> callback)
      : loop_(loop), callback_(std::move(callback)) {}
  ~SoonestTimer() {
    if (timer_) loop_.cancel(*timer_);
  }
  SoonestTimer(const SoonestTimer&) = delete;
  SoonestTimer& operator=(const SoonestTimer&) = delete;

  void in(EventLoop::Duration delay) {
    const auto when = std::chrono::steady_clock::now() + delay;
    if (timer_ && at_ <= when) return;
    if (timer_) loop_.cancel(*timer_);
    at_ = when;
    timer_ = loop_.after(delay, [this] {
      timer_.reset();
      callback_();
    });
  }

 private:
  EventLoop& loop_;
  const std::function<void()> callback_;
  std::optional<EventLoop::TimerId> timer_;
  std::chrono::steady_clock::time_point at_{};
};

}  // namespace volumeter
