#include "collect/walk_store.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstdio>
#include <limits>
#include <nlohmann/json.hpp>
#include <utility>

#include "host/host.h"
#include "volumeter/log.h"

namespace volumeter {
namespace {

using Json = nlohmann::json;

constexpr int kVersion = 1;
constexpr std::size_t kLargest = 64 << 20;  // bytes; 10,000 volumes are 5 MB

std::int64_t to_ns(WallTime when) {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(when.time_since_epoch()).count();
}
WallTime from_ns(std::int64_t ns) {
  return WallTime(std::chrono::duration_cast<WallTime::duration>(std::chrono::nanoseconds(ns)));
}

// Paths are bytes and JSON is UTF-8: each byte is written as the code point of the same number.
std::string to_latin1(const std::string& bytes) {
  std::string text;
  for (const char c : bytes) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x80) {
      text += c;
    } else {
      text += static_cast<char>(0xC0U | byte >> 6U);
      text += static_cast<char>(0x80U | (byte & 0x3FU));
    }
  }
  return text;
}
std::string from_latin1(const std::string& text) {
  std::string bytes;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto lead = static_cast<unsigned char>(text[i]);
    if (lead < 0x80 || i + 1 == text.size()) {
      bytes += text[i];
    } else {
      bytes +=
          static_cast<char>((lead & 0x03U) << 6U | (static_cast<unsigned char>(text[++i]) & 0x3FU));
    }
  }
  return bytes;
}

Json to_json(const StoredWalk& walk) {
  Json out = {
      {"major", walk.target.device.major},     {"minor", walk.target.device.minor},
      {"root", to_latin1(walk.target.root)},   {"path", to_latin1(walk.target.path)},
      {"below", to_latin1(walk.target.below)}, {"bytes", walk.use.bytes},
      {"entries", walk.use.entries},           {"inode", walk.use.inode},
      {"inodes", walk.use.inodes.value_or(0)}, {"measuredAtNs", to_ns(walk.use.measured_at)},
      {"tookSeconds", walk.use.took.count()},  {"estimated", walk.use.estimated}};
  if (walk.use.last_write) out["lastWriteNs"] = to_ns(*walk.use.last_write);
  return out;
}

// get() would make a large number of -1.
template <class T>
T whole(const Json& value) {
  if (value.is_number_unsigned() && value.get<std::uint64_t>() <= std::numeric_limits<T>::max()) {
    return value.get<T>();
  }
  throw Json::type_error::create(302, "not a number of things", &value);
}

StoredWalk from_json(const Json& in) {
  StoredWalk walk;
  walk.target.device = {whole<std::uint32_t>(in.at("major")), whole<std::uint32_t>(in.at("minor"))};
  walk.target.root = from_latin1(in.at("root").get<std::string>());
  walk.target.path = from_latin1(in.at("path").get<std::string>());
  walk.target.below = from_latin1(in.at("below").get<std::string>());
  walk.use.method = UsageMethod::kWalk;
  walk.use.bytes = whole<std::uint64_t>(in.at("bytes"));
  walk.use.entries = whole<std::uint64_t>(in.at("entries"));
  walk.use.inodes = whole<std::uint64_t>(in.at("inodes"));
  walk.use.inode = whole<std::uint64_t>(in.at("inode"));
  walk.use.measured_at = from_ns(in.at("measuredAtNs").get<std::int64_t>());
  walk.use.took = std::chrono::duration<double>(in.at("tookSeconds").get<double>());
  walk.use.estimated = in.at("estimated").get<bool>();
  if (in.contains("lastWriteNs")) {
    walk.use.last_write = from_ns(in.at("lastWriteNs").get<std::int64_t>());
  }
  return walk;
}

Status write_file(const std::string& path, const std::string& text) {
  const std::string fresh = path + ".new";
  const UniqueFd file(
      ::open(fresh.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!file) return Error::from_errno("open " + fresh, errno);
  for (std::size_t at = 0; at < text.size();) {
    const ssize_t n = ::write(file.get(), text.data() + at, text.size() - at);
    if (n < 0 && errno != EINTR) return Error::from_errno("write " + fresh, errno);
    if (n > 0) at += static_cast<std::size_t>(n);
  }
  // Without fsync: after a crash of the node an old or missing file costs one walk.
  if (std::rename(fresh.c_str(), path.c_str()) != 0) {
    return Error::from_errno("rename " + fresh, errno);
  }
  return Done{};
}

}  // namespace

std::string format_walks(const std::vector<StoredWalk>& walks, const std::string& boot_id) {
  Json out = {{"version", kVersion}, {"bootId", boot_id}, {"walks", Json::array()}};
  for (const StoredWalk& walk : walks) out["walks"].push_back(to_json(walk));
  return out.dump(1);
}

Result<std::vector<StoredWalk>> parse_walks(const std::string& text, const std::string& boot_id) {
  const Json in = Json::parse(text, nullptr, false);
  if (!in.is_object() || !in.contains("walks") || !in["walks"].is_array()) {
    return Error{"it is not a file of walks"};
  }
  if (in.value("version", Json()) != kVersion) return Error{"it is of another version"};
  std::vector<StoredWalk> walks;
  if (in.value("bootId", Json()) != boot_id) return walks;
  for (const Json& walk : in["walks"]) {
    try {
      walks.push_back(from_json(walk));
    } catch (const Json::exception&) {
      continue;  // one that doesn't make sense costs only itself
    }
  }
  return walks;
}

WalkStore::WalkStore(const std::string& directory) {
  if (directory.empty()) return;
  if (auto id = read_file("/proc/sys/kernel/random/boot_id")) boot_id_ = *id;
  if (::mkdir(directory.c_str(), 0700) != 0 && errno != EEXIST) {
    log(LogLevel::kWarn, "--state.dir can't be made: walks begin anew after a restart",
        {{"path", directory}, {"error", Error::from_errno("mkdir", errno).message}});
    return;
  }
  path_ = directory + "/walks.json";
  shared_ = std::make_shared<Shared>();
  shared_->path = path_;
  std::thread([shared = shared_] { write_loop(shared); }).detach();
}

WalkStore::~WalkStore() {
  if (!shared_) return;
  std::unique_lock lock(shared_->mutex);
  shared_->stop = true;
  shared_->changed.notify_all();
  shared_->changed.wait_for(lock, std::chrono::seconds(1),
                            [&] { return !shared_->pending && !shared_->writing; });
}

std::vector<StoredWalk> WalkStore::load() const {
  if (path_.empty()) return {};
  if (::access(path_.c_str(), F_OK) != 0) return {};
  auto text = read_file(path_, kLargest);
  auto walks = text ? parse_walks(*text, boot_id_) : Result<std::vector<StoredWalk>>(text.error());
  if (walks) return *walks;
  log(LogLevel::kWarn, "results of earlier walks can't be used",
      {{"path", path_}, {"error", walks.error().message}});
  return {};
}

void WalkStore::save(const std::vector<StoredWalk>& walks) {
  if (!shared_) return;
  std::string text = format_walks(walks, boot_id_);
  const std::lock_guard lock(shared_->mutex);
  shared_->text = std::move(text);
  shared_->pending = true;
  shared_->changed.notify_all();
}

void WalkStore::write_loop(const std::shared_ptr<Shared>& shared) {
  bool failed = false;
  std::unique_lock lock(shared->mutex);
  for (;;) {
    shared->changed.wait(lock, [&] { return shared->pending || shared->stop; });
    if (!shared->pending) return;
    const std::string text = std::exchange(shared->text, {});
    shared->pending = false;
    shared->writing = true;
    lock.unlock();
    const Status written = write_file(shared->path, text);
    if (!written && !std::exchange(failed, true)) {
      log(LogLevel::kWarn, "results of walks can't be kept", {{"error", written.error().message}});
    }
    failed = failed && !written;
    lock.lock();
    shared->writing = false;
    shared->changed.notify_all();
  }
}

}  // namespace volumeter
