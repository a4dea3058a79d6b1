#include "exposition/page.h"

#include <algorithm>
#include <array>
#include <cstdio>

#include "exposition/page_style.h"
#include "volumeter/version.h"

namespace volumeter {
namespace {

std::string tag(const std::string& name, const std::string& attributes, const std::string& inner) {
  return "<" + name + (attributes.empty() ? "" : " " + attributes) + ">" + inner + "</" + name +
         ">";
}

std::string css_class(const std::string& name) { return "class=\"" + name + "\""; }

const char* severity(std::optional<double> ratio) {
  if (!ratio) return "none";
  return *ratio >= 0.9 ? "critical" : *ratio >= 0.8 ? "warning" : "fine";
}

// A bar from 0 to 100 % with marks at 80 and 90; says so to screen readers too.
std::string bar(const Row& row) {
  const auto ratio = row.usage.ratio();
  if (!ratio) {
    if (row.walked_entries) {
      return tag("span", css_class("why"),
                 "first walk: " + std::to_string(*row.walked_entries) + " entries so far");
    }
    const char* why = row.volume_mode == "Block"     ? "block device"
                      : row.state == RowState::kHung ? "no answer"
                      : row.usage.used               ? "no size promised"
                      : row.shares_filesystem        ? "shares a filesystem"
                                                     : "unknown";
    return tag("span", css_class("why"), why);
  }
  std::array<char, 16> width{};
  std::snprintf(width.data(), width.size(), "%.1f%%", std::min(*ratio, 1.0) * 100);
  const std::string text = percent(ratio);
  return "<span class=\"bar " + std::string(severity(ratio)) + "\" role=\"img\" aria-label=\"" +
         text + " used\"><i style=\"width:" + width.data() +
         "\"></i><b class=\"m80\"></b><b class=\"m90\"></b></span> <span class=\"pct\">" + text +
         "</span>";
}

std::string name_cell(const Row& row) {
  if (row.type == "filesystem") return html_escape(row.volume);
  const std::string pod = row.pod.empty() ? "pod " + row.pod_uid : row.pod;
  const std::string title = row.claim.empty() ? row.volume : row.claim;
  const std::string where = row.namespace_.empty() ? pod : row.namespace_ + "/" + pod;
  std::string small = html_escape(where);
  if (!row.claim.empty()) small += " · " + html_escape(row.volume);
  return tag("strong", "", html_escape(title)) + tag("small", "", small);
}

std::string state_cell(const Row& row) {
  std::string name(to_string(row.state));
  std::string css = name;
  std::replace(css.begin(), css.end(), ' ', '-');
  std::string out = tag("span", css_class("state " + css), name);
  if (!row.problem.empty()) out += tag("small", "", html_escape(row.problem));
  return out;
}

// statfs goes without saying.
std::string method_note(const Row& row) {
  if (row.method == "none" || row.method == "statfs") return {};
  return tag("small", "", html_escape(row.method));
}

std::string pair_of(const std::string& read, const std::string& write) {
  return read == "-" && write == "-" ? "-" : html_escape(read) + " / " + html_escape(write);
}

// Reads and writes of the last minute; and how long the device took, median and 99th percentile.
std::string io_cell(const Row& row) {
  if (!row.io) return "-";
  const IoActivity& io = *row.io;
  std::string out =
      tag("span", "", pair_of(human_rate(io.reads_per_second), human_rate(io.writes_per_second)));
  const std::string bytes = pair_of(bytes_per_second(io.read_bytes_per_second),
                                    bytes_per_second(io.written_bytes_per_second));
  if (bytes != "-") out += tag("small", "", bytes);
  return out;
}

std::string latency_cell(const Row& row) {
  if (!row.io) return "-";
  const IoActivity& io = *row.io;
  const std::string median = pair_of(human_seconds(io.read_p50), human_seconds(io.write_p50));
  if (median == "-") return "-";
  return tag("span", "", median) +
         tag("small", "",
             "p99 " + pair_of(human_seconds(io.read_p99), human_seconds(io.write_p99)));
}

// How long applications waited for syncs, and whose that was.
std::string sync_cell(const Row& row) {
  if (!row.io || !row.io->sync_p50) return "-";
  std::string note = "p99 " + human_seconds(row.io->sync_p99);
  if (row.io->wait_cause) note += ", " + human_wait(*row.io);
  return tag("span", "", human_seconds(row.io->sync_p50)) + tag("small", "", note);
}

std::string table_row(const Row& row) {
  std::string type = tag("span", "", html_escape(row.type == "filesystem" ? row.fstype : row.type));
  if (!row.device.empty()) type += tag("small", "", html_escape(row.device));
  return tag("tr", "",
             tag("td", "", name_cell(row)) + tag("td", "", type) +
                 tag("td", css_class("usage"), bar(row)) +
                 tag("td", css_class("n"), human_bytes(row.usage.used)) +
                 tag("td", css_class("n"), human_bytes(row.usage.capacity)) +
                 tag("td", css_class("n"), percent(row.usage.inodes_ratio())) +
                 tag("td", css_class("n"), io_cell(row)) +
                 tag("td", css_class("n"), latency_cell(row)) +
                 tag("td", css_class("n"), sync_cell(row)) +
                 tag("td", css_class("n"), human_age(row.age_seconds) + method_note(row)) +
                 tag("td", "", state_cell(row))) +
         "\n";
}

std::string table(const std::string& first, const std::vector<const Row*>& rows) {
  std::string body;
  for (const Row* row : rows) body += table_row(*row);
  return "<table><thead><tr><th>" + first +
         "</th><th>Type</th><th>Usage</th><th class=\"n\">Used</th><th class=\"n\">Size</th>"
         "<th class=\"n\">Inodes</th><th class=\"n\">Read / write per s</th>"
         "<th class=\"n\">Device time, median</th><th class=\"n\">Sync, median</th>"
         "<th class=\"n\">Age</th><th>State</th></tr></thead>"
         "<tbody>\n" +
         body + "</tbody></table>\n";
}

// Trouble first, then the fullest.
bool more_urgent(const Row* a, const Row* b) {
  const auto rank = [](const Row& row) {
    return std::make_pair(row.state >= RowState::kReadOnly ? static_cast<int>(row.state) : 0,
                          row.usage.ratio().value_or(-1));
  };
  return rank(*a) > rank(*b);
}

std::string summary(const std::vector<const Row*>& volumes) {
  const auto count = [&](auto&& is) {
    return std::to_string(
        std::count_if(volumes.begin(), volumes.end(), [&](const Row* row) { return is(*row); }));
  };
  const auto over = [](double bound) {
    return [bound](const Row& row) { return row.usage.ratio().value_or(0) >= bound; };
  };
  const auto card = [](const std::string& number, const std::string& text, const char* css) {
    const bool zero = number == "0";
    return tag("div", css_class(std::string("card ") + (zero ? "quiet" : css)),
               tag("strong", "", number) + text);
  };
  return tag("div", css_class("cards"),
             card(std::to_string(volumes.size()), "volumes", "plain") +
                 card(count(over(0.9)), "over 90 %", "critical") +
                 card(count([&](const Row& r) { return over(0.8)(r) && !over(0.9)(r); }),
                      "80 to 90 %", "warning") +
                 card(count([](const Row& r) { return r.state == RowState::kHung; }),
                      "not responding", "critical") +
                 card(count([](const Row& r) { return r.state == RowState::kNotMounted; }),
                      "not mounted", "critical"));
}

std::string sources(const Snapshot& snapshot) {
  std::string out;
  for (const SourceState& source : snapshot.sources) {
    if (source.up) continue;
    out += tag("p", css_class("down"),
               "Source " + tag("strong", "", html_escape(source.source)) +
                   " is down: " + html_escape(source.problem));
  }
  return out;
}

}  // namespace

std::string html_escape(std::string_view text) {
  std::string out;
  for (const char c : text) {
    switch (c) {
      case '&':
        out += "&amp;";
        break;
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '"':
        out += "&quot;";
        break;
      case '\'':
        out += "&#39;";
        break;
      default:
        out += c;
    }
  }
  return out;
}

std::string to_page(const Snapshot& snapshot, const std::vector<Row>& rows, const std::string& node,
                    const std::string& metrics_path) {
  std::vector<const Row*> volumes;
  std::vector<const Row*> objects;
  std::vector<const Row*> filesystems;
  for (const Row& row : rows) {
    const bool object = row.type == "configMap" || row.type == "secret" ||
                        row.type == "projected" || row.type == "downwardAPI";
    (row.type == "filesystem" ? filesystems : object ? objects : volumes).push_back(&row);
  }
  std::stable_sort(volumes.begin(), volumes.end(), more_urgent);
  std::stable_sort(filesystems.begin(), filesystems.end(), more_urgent);

  std::string page =
      "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\">"
      "<meta name=\"viewport\" content=\"width=device-width\">"
      "<meta http-equiv=\"refresh\" content=\"15\"><title>volumeter · " +
      html_escape(node) + "</title><style>" + kPageStyle + "</style></head><body>\n";
  page += "<header><h1>volumeter</h1><span>node " + tag("strong", "", html_escape(node)) +
          "</span><nav><a href=\"" + html_escape(metrics_path) +
          "\">metrics</a><a href=\"/api/v1/volumes\">JSON</a>"
          "</nav></header>\n<main>\n";
  page += summary(volumes) + sources(snapshot);
  if (!volumes.empty()) page += "<h2>Volumes</h2>\n" + table("Claim or volume", volumes);
  if (!filesystems.empty()) {
    page += "<h2>Filesystems of the node</h2>\n" + table("Mount point", filesystems);
  }
  if (!objects.empty()) {
    page += "<details><summary>" + std::to_string(objects.size()) +
            " volumes of ConfigMaps, Secrets and the like</summary>\n" + table("Volume", objects) +
            "</details>\n";
  }
  page += "</main><footer>volumeter " + std::string(kVersion) +
          " · the marks on a bar are 80 % and 90 % · ages are of the numbers beside them · I/O is "
          "the last minute's</footer>"
          "</body></html>\n";
  return page;
}

}  // namespace volumeter
