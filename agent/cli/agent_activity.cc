#include "cli/agent_activity.h"

#include <curl/curl.h>

#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <utility>

#include "web/server.h"

namespace volumeter {
namespace {

using Json = nlohmann::json;

constexpr std::size_t kMostBytes = 64 << 20;
constexpr long kMilliseconds = 1000;

std::size_t take(const char* data, std::size_t size, std::size_t count, void* body) {
  auto& text = *static_cast<std::string*>(body);
  if (text.size() + size * count > kMostBytes) return 0;
  text.append(data, size * count);
  return size * count;
}

// "http://127.0.0.1:10098", of an agent that listens on every address.
std::optional<std::string> url_of(const std::string& listen) {
  const auto address = parse_listen_address(listen);
  if (!address) return std::nullopt;
  std::string host = address->host;
  if (host.empty() || host == "0.0.0.0") host = "127.0.0.1";
  if (host == "::") host = "::1";
  if (host.find(':') != std::string::npos) host = "[" + host + "]";
  return "http://" + host + ":" + address->port + "/api/v1/volumes";
}

std::optional<std::string> get(const std::string& url) {
  const std::unique_ptr<CURL, void (*)(CURL*)> curl(curl_easy_init(), curl_easy_cleanup);
  std::string body;
  curl_easy_setopt(curl.get(), CURLOPT_URL, url.c_str());
  curl_easy_setopt(curl.get(), CURLOPT_TIMEOUT_MS, kMilliseconds);
  curl_easy_setopt(curl.get(), CURLOPT_FAILONERROR, 1L);
  curl_easy_setopt(curl.get(), CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(curl.get(), CURLOPT_PROXY, "");
  curl_easy_setopt(curl.get(), CURLOPT_WRITEFUNCTION, take);
  curl_easy_setopt(curl.get(), CURLOPT_WRITEDATA, &body);
  if (curl_easy_perform(curl.get()) != CURLE_OK) return std::nullopt;
  return body;
}

std::optional<double> number(const Json& io, const char* key) {
  constexpr double kMost = 1e18;
  const auto it = io.find(key);
  if (it == io.end() || !it->is_number()) return std::nullopt;
  const double value = it->get<double>();
  return value >= 0 && value <= kMost ? std::optional(value) : std::nullopt;
}

std::string text(const Json& object, const char* key) {
  const auto it = object.find(key);
  return it != object.end() && it->is_string() ? it->get<std::string>() : std::string();
}

IoActivity activity_of(const Json& io) {
  IoActivity activity;
  activity.seconds = number(io, "seconds").value_or(0);
  activity.reads_per_second = number(io, "readsPerSecond");
  activity.writes_per_second = number(io, "writesPerSecond");
  activity.read_bytes_per_second = number(io, "readBytesPerSecond");
  activity.written_bytes_per_second = number(io, "writtenBytesPerSecond");
  activity.read_p50 = number(io, "readP50Seconds");
  activity.read_p99 = number(io, "readP99Seconds");
  activity.write_p50 = number(io, "writeP50Seconds");
  activity.write_p99 = number(io, "writeP99Seconds");
  activity.sync_p50 = number(io, "syncP50Seconds");
  activity.sync_p99 = number(io, "syncP99Seconds");
  for (const WaitCause cause : {WaitCause::kDevice, WaitCause::kQueue, WaitCause::kAbove}) {
    if (text(io, "syncWaitCause") == to_string(cause)) activity.wait_cause = cause;
  }
  return activity;
}

}  // namespace

void add_activity(std::string_view json, std::vector<Row>& rows) {
  const Json answer = Json::parse(json, nullptr, false);
  const auto volumes = answer.is_object() ? answer.find("volumes") : answer.end();
  if (!answer.is_object() || volumes == answer.end() || !volumes->is_array()) return;
  std::map<std::pair<std::string, std::string>, IoActivity> known;
  for (const Json& volume : *volumes) {
    if (!volume.is_object()) continue;
    const auto io = volume.find("io");
    if (io == volume.end() || !io->is_object()) continue;
    known[{text(volume, "podUid"), text(volume, "volume")}] = activity_of(*io);
  }
  for (Row& row : rows) {
    const auto it = known.find({row.pod_uid, row.volume});
    if (it != known.end() && row.type != "filesystem") row.io = it->second;
  }
}

void add_agents_activity(const Config& config, std::vector<Row>& rows) {
  for (const std::string& listen : config.listen) {
    const auto url = url_of(listen);
    const auto answer = url ? get(*url) : std::nullopt;
    if (answer) return add_activity(*answer, rows);
  }
}

}  // namespace volumeter
