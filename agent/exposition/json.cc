#include "exposition/json.h"

#include <nlohmann/json.hpp>

#include "host/host.h"

namespace volumeter {
namespace {

using Json = nlohmann::ordered_json;

template <class T>
void put(Json& out, const char* key, const std::optional<T>& value) {
  if (value) out[key] = *value;
}

void put(Json& out, const char* key, const std::string& value) {
  if (!value.empty()) out[key] = value;
}

Json usage(const Row& row) {
  Json out = Json::object();
  put(out, "capacityBytes", row.usage.capacity);
  put(out, "availableBytes", row.usage.available);
  put(out, "usedBytes", row.usage.used);
  put(out, "inodes", row.usage.inodes);
  put(out, "inodesFree", row.usage.inodes_free);
  put(out, "inodesUsed", row.usage.inodes_used);
  put(out, "ratio", row.usage.ratio());
  put(out, "inodesRatio", row.usage.inodes_ratio());
  put(out, "ageSeconds", row.age_seconds);
  return out;
}

Json activity(const IoActivity& io) {
  Json out;
  out["seconds"] = io.seconds;
  put(out, "readsPerSecond", io.reads_per_second);
  put(out, "writesPerSecond", io.writes_per_second);
  put(out, "readBytesPerSecond", io.read_bytes_per_second);
  put(out, "writtenBytesPerSecond", io.written_bytes_per_second);
  put(out, "readP50Seconds", io.read_p50);
  put(out, "readP99Seconds", io.read_p99);
  put(out, "writeP50Seconds", io.write_p50);
  put(out, "writeP99Seconds", io.write_p99);
  put(out, "syncP50Seconds", io.sync_p50);
  put(out, "syncP99Seconds", io.sync_p99);
  if (io.wait_cause) out["syncWaitCause"] = to_string(*io.wait_cause);
  return out;
}

void put_state(Json& out, const Row& row) {
  out["state"] = to_string(row.state);
  put(out, "problem", row.problem);
  for (const Finding& finding : row.findings) {
    Json one;
    one["kind"] = to_string(finding.kind);
    one["text"] = finding.text;
    out["findings"].push_back(std::move(one));
  }
}

Json volume(const Row& row) {
  Json out;
  put(out, "namespace", row.namespace_);
  put(out, "pod", row.pod);
  put(out, "podUid", row.pod_uid);
  out["volume"] = row.volume;
  put(out, "persistentVolumeClaim", row.claim);
  put(out, "persistentVolume", row.persistent_volume);
  put(out, "storageClass", row.storage_class);
  put(out, "csiDriver", row.csi_driver);
  out["type"] = row.type;
  put(out, "volumeMode", row.volume_mode);
  put(out, "device", row.device);
  put(out, "fstype", row.fstype);
  put(out, "path", row.path);
  out["mounted"] = row.mounted;
  out["sharesFilesystem"] = row.shares_filesystem;
  out["method"] = row.method;
  put(out, "requestedBytes", row.requested);
  if (Json numbers = usage(row); !numbers.empty()) out["usage"] = std::move(numbers);
  put(out, "walkedEntries", row.walked_entries);
  if (row.io) out["io"] = activity(*row.io);
  put_state(out, row);
  return out;
}

Json filesystem(const Row& row) {
  Json out;
  put(out, "device", row.device);
  out["mountPoint"] = row.path;
  out["fstype"] = row.fstype;
  if (Json numbers = usage(row); !numbers.empty()) out["usage"] = std::move(numbers);
  put_state(out, row);
  return out;
}

double unix_seconds(WallTime when) {
  return std::chrono::duration<double>(when.time_since_epoch()).count();
}

}  // namespace

std::string to_json(const Snapshot& snapshot, const std::vector<Row>& rows) {
  Json out;
  out["takenAtUnixSeconds"] = unix_seconds(snapshot.taken_at);
  out["volumes"] = Json::array();
  out["filesystems"] = Json::array();
  for (const Row& row : rows) {
    if (row.type == "filesystem") {
      out["filesystems"].push_back(filesystem(row));
    } else {
      out["volumes"].push_back(volume(row));
    }
  }
  out["orphans"] = Json::array();
  for (const OrphanReading& orphan : snapshot.orphans) {
    Json one;
    one["kind"] = to_string(orphan.kind);
    one["path"] = printable(orphan.path);
    put(one, "device", printable(orphan.device));
    put(one, "bytes", orphan.bytes);
    one["sinceUnixSeconds"] = unix_seconds(orphan.since);
    out["orphans"].push_back(std::move(one));
  }
  out["sources"] = Json::array();
  for (const SourceState& source : snapshot.sources) {
    Json state;
    state["source"] = source.source;
    state["up"] = source.up;
    if (source.last_success) state["lastSuccessUnixSeconds"] = unix_seconds(*source.last_success);
    put(state, "problem", source.problem);
    out["sources"].push_back(std::move(state));
  }
  return out.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace volumeter
