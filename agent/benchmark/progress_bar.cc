#include "benchmark/progress_bar.h"

#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <utility>

namespace volumeter {

ProgressBar::ProgressBar() : terminal_(::isatty(STDERR_FILENO) != 0) {}

void ProgressBar::show(const std::string& what, double share, const std::string& more) {
  if (!terminal_) return;
  constexpr int kWidth = 30;
  const int full = static_cast<int>(std::clamp(share, 0.0, 1.0) * kWidth);
  const std::string bar = std::string(static_cast<std::size_t>(full), '#') +
                          std::string(static_cast<std::size_t>(kWidth - full), '.');
  std::fprintf(stderr, "\r\x1b[K%-10s [%s] %3.0f %%  %s", what.c_str(), bar.c_str(), share * 100,
               more.c_str());
  shown_ = true;
}

void ProgressBar::clear() {
  if (std::exchange(shown_, false)) std::fputs("\r\x1b[K", stderr);
}

}  // namespace volumeter
