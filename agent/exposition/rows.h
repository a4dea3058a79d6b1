// A snapshot as people read it: one row a volume, one row a filesystem of the node. The table, the
// page and the JSON are three forms of the same rows.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "volumeter/human.h"
#include "volumeter/snapshot.h"

namespace volumeter {

enum class RowState { kOk, kUnknown, kWarning, kReadOnly, kError, kWrongMount, kNotMounted, kHung };
std::string_view to_string(RowState state);

struct Row {
  std::string namespace_;
  std::string pod;
  std::string pod_uid;
  std::string volume;
  std::string claim;
  std::string type;  // "csi", "emptyDir", ...; "filesystem" for the node's own
  std::string volume_mode;
  std::string persistent_volume;
  std::string storage_class;
  std::string csi_driver;
  std::string device;
  std::string fstype;
  std::string path;
  std::string method;
  Usage usage;
  std::optional<std::uint64_t> requested;
  std::optional<double> age_seconds;            // of `usage`
  std::optional<std::uint64_t> walked_entries;  // so far, of a first walk that isn't complete
  std::optional<IoActivity> io;  // over the last minute; of all pods that use the volume
  bool shares_filesystem = false;
  bool mounted = false;
  RowState state = RowState::kUnknown;
  std::string problem;            // why there is no fresh answer
  std::vector<Finding> findings;  // the worst first; printable
};

// Volumes by namespace, pod and name, then the node's filesystems. `now` gives the ages.
std::vector<Row> to_rows(const Snapshot& snapshot, WallTime now);

// Whether it is shown where somebody asked for one namespace's volumes only. The node's own
// filesystems always are.
bool belongs(const Row& row, const std::string& name_space);

// "a pod's directory", ...: of something left behind.
std::string_view describe(Orphan::Kind kind);

std::string bytes_per_second(std::optional<double> bytes);  // "1.2 MiB"
std::string percent(std::optional<double> ratio);           // "85%", rounded up as df does
std::string human_rate(std::optional<double> per_second);   // "0", "3.5", "1200"
std::string human_seconds(std::optional<double> seconds);   // "85 us", "1.2 ms", "2 s"
std::string human_wait(const IoActivity& io);               // "above", "-"
std::string human_age(std::optional<double> seconds);

}  // namespace volumeter
