#include "measure/io/mountstats.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>
#include <set>
#include <utility>

#include "host/block_devices.h"

namespace volumeter {
namespace {

// One quantity, as a volume's series and as a share's.
struct NfsField {
  NfsField(const std::string& name, const std::string& help, std::uint64_t NfsOperation::*value,
           double to_base)
      : volume("nfs_operations_" + name, help + " Of a volume that has its NFS share to itself.",
               MetricType::kCounter, {"operation"}),
        share{"volumeter_filesystem_nfs_operations_" + name,
              help + " Of an NFS share that several volumes lie on.",
              MetricType::kCounter,
              {"device", "mountpoint", "fstype", "operation"}},
        member(value),
        scale(to_base) {}
  VolumeMetric volume;
  MetricDesc share;
  std::uint64_t NfsOperation::*member;
  double scale;
};

const std::array<NfsField, 4> kFields = {{
    {"requests_total", "NFS requests.", &NfsOperation::requests, 1},
    {"queue_time_seconds_total", "Seconds until requests were sent.", &NfsOperation::queue_ms,
     1e-3},
    {"response_time_seconds_total", "Seconds from sending to the answer: the round trip.",
     &NfsOperation::response_ms, 1e-3},
    {"request_time_seconds_total", "Seconds from the call to its end.", &NfsOperation::request_ms,
     1e-3},
}};
// Not a column: transmissions less requests.
const NfsField kRetransmissions("retransmissions_total", "NFS requests that were sent again.",
                                &NfsOperation::transmissions, 1);

// Few enough for the budget of series (docs/metrics.md).
const std::set<std::string_view> kOperations = {"READ",    "WRITE",  "COMMIT", "OPEN",
                                                "CLOSE",   "LOOKUP", "ACCESS", "GETATTR",
                                                "SETATTR", "CREATE", "REMOVE", "RENAME"};

// About the client and the server, not the mount: under each mount of a server the same
// (net/sunrpc/stats.c adds the parent clients').
const std::set<std::string_view> kOfTheServer = {"NULL",
                                                 "RENEW",
                                                 "SEQUENCE",
                                                 "SETCLIENTID",
                                                 "SETCLIENTID_CONFIRM",
                                                 "EXCHANGE_ID",
                                                 "CREATE_SESSION",
                                                 "DESTROY_SESSION",
                                                 "DESTROY_CLIENTID",
                                                 "RECLAIM_COMPLETE",
                                                 "GET_LEASE_TIME",
                                                 "BIND_CONN_TO_SESSION",
                                                 "SECINFO",
                                                 "SECINFO_NO_NAME",
                                                 "FSID_PRESENT"};

std::string unescape(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const std::string_view digits = text.substr(i).substr(1, 3);
    unsigned value = 0;
    if (text[i] == '\\' && digits.size() == 3 &&
        std::from_chars(digits.data(), digits.data() + 3, value, 8).ptr == digits.data() + 3) {
      out += static_cast<char>(value);
      i += 3;
    } else {
      out += text[i];
    }
  }
  return out;
}

// "device <source> mounted on <where> with fstype nfs4 statvers=1.1"
std::optional<std::string> nfs_mount_point(std::string_view line) {
  constexpr std::string_view kOn = " mounted on ";
  constexpr std::string_view kWith = " with fstype ";
  const auto on = line.find(kOn);
  const auto with = line.rfind(kWith);
  if (on == std::string_view::npos || with == std::string_view::npos || with < on + kOn.size()) {
    return std::nullopt;
  }
  std::string_view type = line.substr(with + kWith.size());
  type = next_word(type);
  if (type != "nfs" && type != "nfs4") return std::nullopt;
  return unescape(line.substr(on + kOn.size(), with - on - kOn.size()));
}

// "READ: 1 1 0 172 4180 0 1 1 [0]": requests, transmissions, timeouts, bytes sent and received,
// queue, round trip, execution, errors.
std::optional<std::pair<std::string, NfsOperation>> parse_operation(std::string_view line) {
  std::string_view name = next_word(line);
  if (!name.ends_with(':')) return std::nullopt;
  name.remove_suffix(1);
  std::array<std::uint64_t, 8> columns{};
  for (std::uint64_t& column : columns) {
    const std::string_view word = next_word(line);
    if (word.empty() ||
        std::from_chars(word.data(), word.data() + word.size(), column).ec != std::errc()) {
      return std::nullopt;
    }
  }
  return std::pair(std::string(name),
                   NfsOperation{columns[0], columns[1], columns[5], columns[6], columns[7]});
}

NfsOperations condense(const NfsOperations& all) {
  NfsOperations few;
  for (const auto& [name, operation] : all) {
    if (operation.requests == 0 || kOfTheServer.contains(name)) continue;
    few[kOperations.contains(name) ? name : "OTHER"].add(operation);
  }
  return few;
}

// A subject's mounts of one NFS superblock, which nobody else has any of: no other volume, and no
// mount outside of pods.
class Shares {
 public:
  explicit Shares(const Inventory& inventory) {
    for (std::size_t i = 0; i < inventory.subjects.size(); ++i) {
      for (const std::size_t v : inventory.subjects[i].volumes) {
        const auto& mount = inventory.volumes[v].mount;
        if (mount && mount->fstype.starts_with("nfs")) users_[mount->device].insert(i);
      }
    }
    for (const Filesystem& filesystem : inventory.filesystems) {
      constexpr std::size_t kNode = ~std::size_t{0};  // as if it were a subject
      const std::string& outside = filesystem.labels->at(1);
      if (!outside.empty()) users_[filesystem.mount.device].insert(kNode);
    }
  }
  [[nodiscard]] bool is_alone(DeviceNumber device) const {
    const auto it = users_.find(device);
    return it != users_.end() && it->second.size() == 1;
  }

 private:
  std::map<DeviceNumber, std::set<std::size_t>> users_;
};

template <class Add>
void add_operations(const NfsOperations& operations, Add&& add) {
  for (const auto& [name, operation] : condense(operations)) {
    for (const NfsField& field : kFields) {
      add(field, name, static_cast<double>(operation.*field.member) * field.scale);
    }
    const std::uint64_t sent = std::max(operation.transmissions, operation.requests);
    add(kRetransmissions, name, static_cast<double>(sent - operation.requests));
  }
}

}  // namespace

void NfsOperation::add(const NfsOperation& other) {
  requests += other.requests;
  transmissions += other.transmissions;
  queue_ms += other.queue_ms;
  response_ms += other.response_ms;
  request_ms += other.request_ms;
}

std::map<std::string, NfsOperations> parse_mountstats(std::string_view text) {
  std::map<std::string, NfsOperations> mounts;
  NfsOperations* mount = nullptr;
  bool operations = false;
  while (!text.empty()) {
    const std::string_view line = next_line(text);
    if (line.starts_with("device ")) {
      const auto where = nfs_mount_point(line);
      mount = where ? &mounts[*where] : nullptr;
      if (mount != nullptr) mount->clear();  // the topmost of several
      operations = false;
    } else if (line.find("per-op statistics") != std::string_view::npos) {
      operations = true;
    } else if (mount != nullptr && operations) {
      if (auto operation = parse_operation(line)) mount->insert(std::move(*operation));
    }
  }
  return mounts;
}

bool has_nfs(const Inventory& inventory) {
  return std::any_of(inventory.volumes.begin(), inventory.volumes.end(), [](const Volume& volume) {
    return volume.mount && volume.mount->fstype.starts_with("nfs");
  });
}

void add_nfs(std::string_view mountstats, const Inventory& inventory, MeasurementSet& out) {
  const auto mounts = parse_mountstats(mountstats);
  const Shares shares(inventory);
  for (const Subject& subject : inventory.subjects) {
    std::set<DeviceNumber> done;  // mounts of one superblock all tell the same
    NfsOperations sum;
    for (const std::size_t v : subject.volumes) {
      const auto& mount = inventory.volumes[v].mount;
      if (!mount || !shares.is_alone(mount->device) || done.contains(mount->device)) continue;
      const auto it = mounts.find(mount->mount_point);
      if (it == mounts.end()) continue;
      done.insert(mount->device);
      for (const auto& [name, operation] : it->second) sum[name].add(operation);
    }
    add_operations(sum, [&](const NfsField& field, const std::string& name, double value) {
      out.add(field.volume, subject, {name}, value);
    });
  }
  for (const Filesystem& filesystem : inventory.filesystems) {
    const auto it = mounts.find(filesystem.mount.mount_point);
    if (it == mounts.end() || shares.is_alone(filesystem.mount.device)) continue;
    add_operations(it->second, [&](const NfsField& field, const std::string& name, double value) {
      std::vector<std::string> labels = *filesystem.labels;
      labels.push_back(name);
      out.add(field.share, std::move(labels), value);
    });
  }
}

std::vector<const MetricDesc*> nfs_families() {
  std::vector<const MetricDesc*> all;
  const auto add = [&](const NfsField& field) {
    all.insert(all.end(), {&field.volume.claim, &field.volume.pod, &field.share});
  };
  for (const NfsField& field : kFields) add(field);
  add(kRetransmissions);
  return all;
}

}  // namespace volumeter
