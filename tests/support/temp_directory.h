// A directory of a test's own, gone with it.
#pragma once

#include <cstdlib>
#include <filesystem>
#include <string>

namespace volumeter::test {

class TempDirectory {
 public:
  explicit TempDirectory(const std::string& name = "test") {
    std::string pattern =
        (std::filesystem::temp_directory_path() / ("volumeter-" + name + "-XXXXXX")).string();
    path_ = ::mkdtemp(pattern.data());
  }
  ~TempDirectory() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  TempDirectory(const TempDirectory&) = delete;
  TempDirectory& operator=(const TempDirectory&) = delete;

  [[nodiscard]] const std::string& path() const { return path_; }

 private:
  std::string path_;
};

}  // namespace volumeter::test
