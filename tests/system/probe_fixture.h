// What tests of the prober share: claims whose owners want them probed, and an agent that does so
// every second.
#pragma once

#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <vector>

#include "claim_fixture.h"

namespace volumeter::test {
namespace fs = std::filesystem;

class ProbeTest : public ClaimTest {
 protected:
  using ClaimTest::claim;
  std::string claim(const std::string& name, const std::string& annotations,
                    const std::string& mode = "Filesystem") {
    ClaimSpec spec;
    spec.name = name;
    spec.annotations_json = annotations;
    spec.mode = mode;
    return claim(spec);
  }
  static constexpr const char* kOn = R"("volumeter.io/probe":"on")";

  // With a filesystem of its own, and its path.
  std::string probed(const std::string& name, const std::string& fstype,
                     const std::string& annotations = kOn, std::uint64_t size = 400 << 20) {
    const std::string where = claim(name, annotations);
    image = node->image(fstype, size);
    device = node->mount_image(image, fstype, where);
    return where;
  }

  void start(std::vector<std::string> more = {}, const Agent::Options& options = {}) {
    more.insert(more.begin(), "--probe.interval=1s");
    ClaimTest::start(more, options);
  }

  [[nodiscard]] double reads(const std::string& name) const {
    return value("probe_duration_seconds_count", name, ",operation=\"read\"");
  }
  [[nodiscard]] double writes(const std::string& name) const {
    return value("probe_duration_seconds_count", name, ",operation=\"write_sync\"");
  }
  [[nodiscard]] double skipped(const std::string& name, const std::string& reason) const {
    return value("probe_skipped_total", name, ",reason=\"" + reason + "\"");
  }
  // /proc/diskstats, column 10.
  static std::uint64_t written_sectors(const std::string& disk) {
    std::ifstream stat("/sys/class/block/" + fs::path(disk).filename().string() + "/stat");
    std::uint64_t column = 0;
    for (int i = 0; i < 7; ++i) stat >> column;
    return column;
  }
  // Names in a volume, hidden ones too.
  static std::vector<std::string> names_in(const std::string& where) {
    std::vector<std::string> names;
    for (const auto& entry : fs::recursive_directory_iterator(where)) {
      if (entry.path().filename() != "lost+found") names.push_back(entry.path());
    }
    return names;
  }

  std::string image;   // of the last probed()
  std::string device;  // likewise
};

}  // namespace volumeter::test
