#include "host/event_loop.h"

#include <sys/epoll.h>
#include <sys/eventfd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <system_error>

namespace volumeter {

using std::chrono::steady_clock;

EventLoop::EventLoop()
    : epoll_(::epoll_create1(EPOLL_CLOEXEC)), wake_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
  if (!epoll_ || !wake_) throw std::system_error(errno, std::generic_category(), "epoll");
  beat_ns_ = steady_clock::now().time_since_epoch().count();
  watch(wake_.get(), [this] {
    std::uint64_t count = 0;
    [[maybe_unused]] const ssize_t n = ::read(wake_.get(), &count, sizeof count);
  });
}

void EventLoop::watch(int fd, Callback callback) {
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.fd = fd;
  if (::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd, &event) != 0) {
    throw std::system_error(errno, std::generic_category(), "epoll_ctl");
  }
  callbacks_[fd] = std::move(callback);
}

Status EventLoop::watch_priority(int fd, Callback callback) {
  epoll_event event{};
  event.events = EPOLLPRI;
  event.data.fd = fd;
  if (::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd, &event) != 0) {
    return Error::from_errno("epoll_ctl", errno);
  }
  callbacks_[fd] = std::move(callback);
  return Done{};
}

void EventLoop::unwatch(int fd) {
  ::epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, fd, nullptr);
  callbacks_.erase(fd);
}

EventLoop::TimerId EventLoop::after(Duration delay, Callback callback) {
  const TimerId id = next_timer_++;
  const auto when = steady_clock::now() + delay;
  timers_[{when, id}] = std::move(callback);
  timer_times_[id] = when;
  return id;
}

void EventLoop::cancel(TimerId id) {
  const auto it = timer_times_.find(id);
  if (it == timer_times_.end()) return;
  timers_.erase({it->second, id});
  timer_times_.erase(it);
}

int EventLoop::timeout_ms() const {
  constexpr std::int64_t kBeat = 4000;
  if (timers_.empty()) return kBeat;
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(timers_.begin()->first.first -
                                                                 steady_clock::now());
  return static_cast<int>(std::clamp<std::int64_t>(left.count(), 0, kBeat));
}

void EventLoop::fire_timers() {
  const auto now = steady_clock::now();
  while (!timers_.empty() && timers_.begin()->first.first <= now) {
    auto node = timers_.extract(timers_.begin());
    timer_times_.erase(node.key().second);
    node.mapped()();
  }
}

void EventLoop::run() {
  std::array<epoll_event, 32> events{};
  while (!stopped_.exchange(false)) {
    const int count = ::epoll_wait(epoll_.get(), events.data(), events.size(), timeout_ms());
    beat_ns_ = steady_clock::now().time_since_epoch().count();
    for (int i = 0; i < count; ++i) {
      // A callback may have removed a later one of the same batch.
      const auto it = callbacks_.find(events[static_cast<std::size_t>(i)].data.fd);
      if (it == callbacks_.end()) continue;
      const Callback callback = it->second;  // survives its own unwatch
      callback();
    }
    fire_timers();
  }
}

void EventLoop::stop() {
  stopped_ = true;
  const std::uint64_t one = 1;
  [[maybe_unused]] const ssize_t n = ::write(wake_.get(), &one, sizeof one);
}

EventLoop::Duration EventLoop::since_last_beat() const {
  return steady_clock::now().time_since_epoch() - Duration(beat_ns_.load());
}

}  // namespace volumeter
