#include "exposition/page_table.h"

#include <algorithm>
#include <array>
#include <cstdio>

#include "host/host.h"

namespace volumeter {
namespace {

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
  if (row.type == "filesystem") return tag("strong", "", html_escape(row.volume));
  const std::string pod = row.pod.empty() ? "pod " + row.pod_uid : row.pod;
  const std::string title = row.claim.empty() ? row.volume : row.claim;
  const std::string where = row.namespace_.empty() ? pod : row.namespace_ + "/" + pod;
  std::string small = html_escape(where);
  if (!row.claim.empty()) small += " · " + html_escape(row.volume);
  return tag("strong", "", html_escape(title)) + tag("small", "", small);
}

std::string state_cell(const Row& row) {
  // Nothing is broken yet, and "ok" beside a red bar would be odd.
  const double used = row.usage.ratio().value_or(0);
  if (row.state == RowState::kOk && used >= 0.8) {
    return tag("span", css_class(used >= 0.9 ? "state error" : "state warning"),
               used >= 0.9 ? "over 90 %" : "over 80 %");
  }
  std::string name(to_string(row.state));
  std::string css = name;
  std::replace(css.begin(), css.end(), ' ', '-');
  std::string out = tag("span", css_class("state " + css), name);
  if (!row.problem.empty()) out += tag("small", "", html_escape(row.problem));
  for (const Finding& finding : row.findings) out += tag("small", "", html_escape(finding.text));
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
  const std::string rates =
      pair_of(human_rate(io.reads_per_second), human_rate(io.writes_per_second));
  if (rates == "-") return "-";
  std::string out = tag("span", "", rates);
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

struct Cell {
  const char* column;
  bool number;
  std::string html;
};

std::array<Cell, 10> cells_of(const Row& row) {
  std::string type = tag("span", "", html_escape(row.type == "filesystem" ? row.fstype : row.type));
  if (!row.device.empty()) type += tag("small", "", html_escape(row.device));
  return {{{"Type", false, type},
           {"Usage", false, bar(row)},
           {"Used", true, human_bytes(row.usage.used)},
           {"Size", true, human_bytes(row.usage.capacity)},
           {"Inodes", true, percent(row.usage.inodes_ratio())},
           {"Read / write per s", true, io_cell(row)},
           {"Device time, median", true, latency_cell(row)},
           {"Sync, median", true, sync_cell(row)},
           {"Age", true, human_age(row.age_seconds) + method_note(row)},
           {"State", false, state_cell(row)}}};
}

// On a phone each cell says itself what it is, and those that know nothing are left out.
std::string table_row(const Row& row) {
  std::string out = tag("th", "scope=\"row\"", name_cell(row));
  for (const Cell& cell : cells_of(row)) {
    std::string css = cell.number ? "n" : "t";
    if (cell.html == "-") css += " none";
    out += tag("td", css_class(css) + " data-column=\"" + cell.column + "\"",
               tag("div", "", cell.html));
  }
  return tag("tr", "", out) + "\n";
}

std::string head(const std::string& first) {
  std::string out = tag("th", "scope=\"col\"", first);
  for (const Cell& cell : cells_of({})) {
    out +=
        tag("th", std::string("scope=\"col\"") + (cell.number ? " class=\"n\"" : ""), cell.column);
  }
  return tag("thead", "", tag("tr", "", out));
}

// Wider than the window it scrolls by itself, with the keyboard too.
std::string scrolling(const std::string& title, const std::string& table) {
  return tag("div", R"(class="scroll" tabindex="0" role="region" aria-label=")" + title + '"',
             table) +
         "\n";
}

}  // namespace

std::string tag(const std::string& name, const std::string& attributes, const std::string& inner) {
  return "<" + name + (attributes.empty() ? "" : " " + attributes) + ">" + inner + "</" + name +
         ">";
}

std::string css_class(const std::string& name) { return "class=\"" + name + "\""; }

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

std::string page_table(const std::string& title, const std::string& first,
                       const std::vector<const Row*>& rows) {
  std::string body;
  for (const Row* row : rows) body += table_row(*row);
  return scrolling(title, tag("table", "", head(first) + tag("tbody", "", "\n" + body)));
}

std::string page_orphans(const Snapshot& snapshot) {
  if (snapshot.orphans.empty()) return {};
  std::string body;
  for (const OrphanReading& orphan : snapshot.orphans) {
    const std::chrono::duration<double> age = snapshot.taken_at - orphan.since;
    body +=
        tag("tr", "",
            tag("td", "", std::string(describe(orphan.kind))) +
                tag("td", "", html_escape(printable(orphan.path))) +
                tag("td", "", orphan.device.empty() ? "-" : html_escape(printable(orphan.device))) +
                tag("td", css_class("n"), human_bytes(orphan.bytes)) +
                tag("td", css_class("n"), human_age(age.count()))) +
        "\n";
  }
  return "<h2>Left behind</h2>\n" +
         scrolling("Left behind",
                   "<table class=\"plain\"><thead><tr><th>What</th><th>Where</th><th>Device</th>"
                   "<th class=\"n\">Bytes</th><th class=\"n\">Age</th></tr></thead><tbody>\n" +
                       body + "</tbody></table>");
}

}  // namespace volumeter
