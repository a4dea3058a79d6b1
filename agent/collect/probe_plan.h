// Who may be probed, and how: consent, before anything else. Pure functions of the inventory.
#pragma once

#include <chrono>
#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "measure/probe/probe.h"
#include "volumeter/inventory.h"

namespace volumeter {

enum class ProbeMode {
  kOff,
  kAnnotated,  // only volumes whose owner says so
  kAuto,       // and claims with a filesystem of their own, unless their owner says no
};

// What annotations may say; empty text means that the value makes sense.
//   volumeter.io/probe           on, read-only, named-file, off
//   volumeter.io/probe-interval  a duration of a second or more
//   volumeter.io/burst           on, off
std::string wrong_with_annotation(const std::string& name, const std::string& value);

struct ProbePlan {
  bool wanted = false;   // somebody asked for it
  std::string asked_by;  // "PersistentVolumeClaim", ..., or "--probe.mode=auto"
  // Why it can't be all the same: the `reason` label; empty when it can.
  std::string obstacle;
  ProbeWay way = ProbeWay::kUnnamedFile;
  Target target;
  std::optional<std::size_t> index;   // of the target in the inventory; none for devices
  std::optional<std::size_t> device;  // in the inventory: what it lies on, where that is one
  std::chrono::milliseconds interval{};
  bool burst = false;

  [[nodiscard]] bool writes() const { return way != ProbeWay::kDevice; }
};

// Of one subject.
ProbePlan plan_probe(const Inventory& inventory, const Subject& subject, ProbeMode mode,
                     std::chrono::milliseconds interval);

}  // namespace volumeter
