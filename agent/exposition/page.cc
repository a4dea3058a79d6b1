#include "exposition/page.h"

#include <algorithm>
#include <ctime>
#include <set>

#include "exposition/page_style.h"
#include "exposition/page_table.h"
#include "volumeter/version.h"

namespace volumeter {
namespace {

// Trouble first, and to be over 90 or 80 % is trouble; then the fullest.
bool more_urgent(const Row* a, const Row* b) {
  const auto rank = [](const Row& row) {
    const double used = row.usage.ratio().value_or(-1);
    const RowState full = used >= 0.9   ? RowState::kError
                          : used >= 0.8 ? RowState::kWarning
                                        : RowState::kOk;
    const RowState worst = std::max(row.state, full);
    return std::make_pair(worst >= RowState::kWarning ? static_cast<int>(worst) : 0, used);
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
                      "not mounted", "critical") +
                 card(count([](const Row& r) {
                        return r.state >= RowState::kWarning && r.state < RowState::kNotMounted;
                      }),
                      "with trouble", "warning"));
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

// Without scripts it is a form with a button.
std::string filter(const std::vector<Row>& rows, const std::string& chosen) {
  std::set<std::string> namespaces;
  for (const Row& row : rows) {
    if (!row.namespace_.empty()) namespaces.insert(row.namespace_);
  }
  if (!chosen.empty()) namespaces.insert(chosen);
  if (namespaces.size() < 2 && chosen.empty()) return {};
  std::string options = tag("option", "value=\"\"", "all namespaces");
  for (const std::string& one : namespaces) {
    const std::string text = html_escape(one);
    options += tag("option", "value=\"" + text + '"' + (one == chosen ? " selected" : ""), text);
  }
  return R"(<form method="get" action="/"><label for="namespace">Namespace</label><select id="namespace" )"
         R"(name="namespace">)" +
         options + "</select><button>Show</button></form>";
}

std::string clock_time(WallTime time) {
  const std::time_t seconds = std::chrono::system_clock::to_time_t(time);
  std::tm utc{};
  ::gmtime_r(&seconds, &utc);
  std::array<char, 40> text{};
  std::strftime(text.data(), text.size(), "%FT%TZ", &utc);
  const std::string iso = text.data();
  return tag("time", "id=\"taken\" datetime=\"" + iso + '"', iso.substr(11, 8) + " UTC");
}

std::string head(const PageOptions& options) {
  return "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\">"
         "<meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">"
         "<meta name=\"color-scheme\" content=\"light dark\">"
         "<noscript><meta http-equiv=\"refresh\" content=\"15\"></noscript><title>volumeter · " +
         html_escape(options.node) + "</title><style>" + kPageStyle +
         "</style><script src=\"/page.js\" defer></script></head>";
}

struct Parts {
  std::vector<const Row*> volumes;
  std::vector<const Row*> objects;  // of ConfigMaps and the like
  std::vector<const Row*> filesystems;
};

Parts parts_of(const std::vector<Row>& rows, const std::string& name_space) {
  Parts parts;
  for (const Row& row : rows) {
    if (!belongs(row, name_space)) continue;
    const bool object = row.type == "configMap" || row.type == "secret" ||
                        row.type == "projected" || row.type == "downwardAPI";
    (row.type == "filesystem" ? parts.filesystems
     : object                 ? parts.objects
                              : parts.volumes)
        .push_back(&row);
  }
  std::stable_sort(parts.volumes.begin(), parts.volumes.end(), more_urgent);
  std::stable_sort(parts.filesystems.begin(), parts.filesystems.end(), more_urgent);
  return parts;
}

std::string main_part(const Snapshot& snapshot, const Parts& parts, const std::string& chosen) {
  std::string out = summary(parts.volumes) + sources(snapshot);
  if (parts.volumes.empty()) {
    out += tag("p", css_class("down"),
               chosen.empty() ? "No pod on this node has a volume."
                              : "No volume here belongs to namespace " + html_escape(chosen) + ".");
  } else {
    out += "<h2>Volumes</h2>\n" + page_table("Volumes", "Claim or volume", parts.volumes);
  }
  if (!parts.filesystems.empty()) {
    out += "<h2>Filesystems of the node</h2>\n" +
           page_table("Filesystems of the node", "Mount point", parts.filesystems);
  }
  out += page_orphans(snapshot);
  if (!parts.objects.empty()) {
    out += "<details><summary>" + std::to_string(parts.objects.size()) +
           " volumes of ConfigMaps, Secrets and the like</summary>\n" +
           page_table("ConfigMaps, Secrets and the like", "Volume", parts.objects) + "</details>\n";
  }
  return tag("main", "id=\"main\"", "\n" + out);
}

}  // namespace

std::string to_page(const Snapshot& snapshot, const std::vector<Row>& rows,
                    const PageOptions& options) {
  const Parts parts = parts_of(rows, options.name_space);
  return head(options) +
         "<body>\n<a class=\"skip\" href=\"#main\">Skip to the volumes</a>"
         "<header><h1>volumeter</h1><span>node " +
         tag("strong", "", html_escape(options.node)) + "</span><span>at " +
         clock_time(snapshot.taken_at) + "</span>" + filter(rows, options.name_space) +
         "<nav aria-label=\"Other forms\"><a href=\"" + html_escape(options.metrics_path) +
         "\">metrics</a><a href=\"/api/v1/volumes\">JSON</a></nav></header>\n"
         "<p id=\"notice\" role=\"status\"></p>" +
         main_part(snapshot, parts, options.name_space) + "<footer>volumeter " +
         std::string(kVersion) +
         " · the marks on a bar are 80 % and 90 % · ages are of the numbers beside them · I/O is "
         "the last minute's</footer></body></html>\n";
}

}  // namespace volumeter
