// One line on a terminal that says how far something is; nothing anywhere else.
#pragma once

#include <string>

namespace volumeter {

class ProgressBar {
 public:
  ProgressBar();
  ~ProgressBar() { clear(); }
  ProgressBar(const ProgressBar&) = delete;
  ProgressBar& operator=(const ProgressBar&) = delete;

  // `share` from 0 to 1.
  void show(const std::string& what, double share, const std::string& more);
  void clear();

 private:
  const bool terminal_;
  bool shown_ = false;
};

}  // namespace volumeter
