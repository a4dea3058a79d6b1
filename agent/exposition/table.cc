#include "exposition/table.h"

#include <algorithm>
#include <chrono>

#include "host/host.h"

namespace volumeter {
namespace {

struct Column {
  std::string title;
  bool right = false;
  std::string (*cell)(const Row&);
};

std::string or_dash(const std::string& text) { return text.empty() ? "-" : text; }

IoActivity io(const Row& row) { return row.io.value_or(IoActivity{}); }

const std::vector<Column>& columns(bool wide) {
  static const std::vector<Column> kNarrow = {
      {"NAMESPACE", false, [](const Row& r) { return or_dash(r.namespace_); }},
      {"POD", false,
       [](const Row& r) { return or_dash(r.pod.empty() ? r.pod_uid.substr(0, 8) : r.pod); }},
      {"VOLUME", false, [](const Row& r) { return or_dash(r.volume); }},
      {"CLAIM", false, [](const Row& r) { return or_dash(r.claim); }},
      {"TYPE", false, [](const Row& r) { return r.type; }},
      {"SIZE", true, [](const Row& r) { return human_bytes(r.usage.capacity); }},
      {"USED", true, [](const Row& r) { return human_bytes(r.usage.used); }},
      {"AVAIL", true, [](const Row& r) { return human_bytes(r.usage.available); }},
      {"USE%", true, [](const Row& r) { return percent(r.usage.ratio()); }},
      {"IUSE%", true, [](const Row& r) { return percent(r.usage.inodes_ratio()); }},
      {"AGE", true, [](const Row& r) { return human_age(r.age_seconds); }},
      {"METHOD", false, [](const Row& r) { return or_dash(r.method == "none" ? "" : r.method); }},
      {"STATE", false, [](const Row& r) { return std::string(to_string(r.state)); }},
  };
  static const std::vector<Column> kWide = [] {
    std::vector<Column> all = kNarrow;
    const std::vector<Column> more = {
        {"REQUESTED", true, [](const Row& r) { return human_bytes(r.requested); }},
        {"MODE", false, [](const Row& r) { return or_dash(r.volume_mode); }},
        {"DEVICE", false, [](const Row& r) { return or_dash(r.device); }},
        {"FSTYPE", false, [](const Row& r) { return or_dash(r.fstype); }},
        {"R/S", true, [](const Row& r) { return human_rate(io(r).reads_per_second); }},
        {"W/S", true, [](const Row& r) { return human_rate(io(r).writes_per_second); }},
        {"READ/S", true,
         [](const Row& r) { return bytes_per_second(io(r).read_bytes_per_second); }},
        {"WRITE/S", true,
         [](const Row& r) { return bytes_per_second(io(r).written_bytes_per_second); }},
        {"R P50", true, [](const Row& r) { return human_seconds(io(r).read_p50); }},
        {"R P99", true, [](const Row& r) { return human_seconds(io(r).read_p99); }},
        {"W P50", true, [](const Row& r) { return human_seconds(io(r).write_p50); }},
        {"W P99", true, [](const Row& r) { return human_seconds(io(r).write_p99); }},
        {"SYNC P50", true, [](const Row& r) { return human_seconds(io(r).sync_p50); }},
        {"SYNC P99", true, [](const Row& r) { return human_seconds(io(r).sync_p99); }},
        {"WAIT", false, [](const Row& r) { return human_wait(io(r)); }},
        {"STORAGECLASS", false, [](const Row& r) { return or_dash(r.storage_class); }},
        {"PV", false, [](const Row& r) { return or_dash(r.persistent_volume); }},
        {"PATH", false, [](const Row& r) { return or_dash(r.path); }},
    };
    all.insert(all.end(), more.begin(), more.end());
    return all;
  }();
  return wide ? kWide : kNarrow;
}

// Characters, not bytes: names may be UTF-8.
std::size_t width(const std::string& text) {
  return static_cast<std::size_t>(std::count_if(text.begin(), text.end(), [](char c) {
    return (static_cast<unsigned char>(c) & 0xC0U) != 0x80U;
  }));
}

std::string line(const std::vector<std::string>& cells, const std::vector<Column>& all,
                 const std::vector<std::size_t>& widths, const std::vector<bool>& shown) {
  std::string out;
  for (std::size_t i = 0; i < cells.size(); ++i) {
    if (!shown[i]) continue;
    const std::string pad(widths[i] - width(cells[i]), ' ');
    out += all[i].right ? pad + cells[i] : cells[i] + pad;
    out += "  ";
  }
  out.erase(out.find_last_not_of(' ') + 1);
  return out + "\n";
}

}  // namespace

std::string to_table(const std::vector<Row>& rows, bool wide) {
  const std::vector<Column>& all = columns(wide);
  std::vector<std::vector<std::string>> cells(1);
  for (const Column& column : all) cells[0].push_back(column.title);
  for (const Row& row : rows) {
    std::vector<std::string>& out = cells.emplace_back();
    for (const Column& column : all) out.push_back(column.cell(row));
  }
  std::vector<std::size_t> widths(all.size());
  for (const auto& row : cells) {
    for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], width(row[i]));
  }
  // A host without Kubernetes has no namespaces: a column that says nothing isn't shown.
  std::vector<bool> shown(all.size(), rows.empty());
  for (std::size_t r = 1; r < cells.size(); ++r) {
    for (std::size_t i = 0; i < all.size(); ++i) shown[i] = shown[i] || cells[r][i] != "-";
  }
  std::string out;
  for (const auto& row : cells) out += line(row, all, widths, shown);
  for (const Row& row : rows) {
    const std::string where =
        row.pod.empty() ? row.volume : row.namespace_ + "/" + row.pod + " " + row.volume;
    if (!row.problem.empty()) out += where + ": " + row.problem + "\n";
    for (const Finding& finding : row.findings) out += where + ": " + finding.text + "\n";
    if (row.walked_entries) {
      out += where + ": its first walk has counted " + std::to_string(*row.walked_entries) +
             " entries so far\n";
    }
  }
  return out;
}

std::string to_lines(const std::vector<OrphanReading>& orphans, WallTime now) {
  std::string out;
  for (const OrphanReading& orphan : orphans) {
    const std::chrono::duration<double> age = now - orphan.since;
    out += "left behind for " + human_age(age.count()) + ": " + std::string(describe(orphan.kind)) +
           ", " + printable(orphan.path);
    if (!orphan.device.empty()) out += ", device " + printable(orphan.device);
    if (orphan.bytes) out += ", " + human_bytes(*orphan.bytes);
    out += "\n";
  }
  return out;
}

}  // namespace volumeter
