#include "web/routes.h"

#include <utility>

#include "exposition/gzip.h"
#include "exposition/json.h"
#include "exposition/page.h"
#include "exposition/page_script.h"
#include "exposition/table.h"

namespace volumeter {
namespace {

Response plain(int status, std::string body) {
  return {status, "text/plain; charset=utf-8", std::move(body), false};
}

Response compressed(const Request& request, std::string type, std::string body) {
  if (!request.accepts_gzip) return {200, std::move(type), std::move(body), false};
  return {200, std::move(type), gzip(body), true};
}

// curl, wget and scripts get text; browsers say that they want HTML.
bool wants_html(const Request& request) {
  return request.accept.find("text/html") != std::string::npos;
}

}  // namespace

Routes::Routes(RouteOptions options, RouteSources sources)
    : options_(std::move(options)), sources_(std::move(sources)) {}

Response Routes::metrics(const Request& request) {
  const auto snapshot = sources_.snapshot();
  if (snapshot == nullptr) return plain(503, "no snapshot yet: the agent has just started\n");
  const MeasurementSet live = sources_.live(*snapshot->inventory);
  Response response{200, "text/plain; version=0.0.4; charset=utf-8", {}, request.accepts_gzip};
  response.body =
      request.accepts_gzip ? text_.render_gzip(*snapshot, live) : text_.render(*snapshot, live);
  return response;
}

Response Routes::page(const Request& request) {
  const auto snapshot = sources_.snapshot();
  if (snapshot == nullptr) return plain(503, "no snapshot yet: the agent has just started\n");
  auto rows = to_rows(*snapshot, std::chrono::system_clock::now());
  const bool html = request.path == "/" && wants_html(request);
  if (!html) std::erase_if(rows, [&](const Row& row) { return !belongs(row, request.name_space); });
  if (request.path == "/api/v1/volumes") {
    return compressed(request, "application/json", to_json(*snapshot, rows));
  }
  if (html) {
    return compressed(
        request, "text/html; charset=utf-8",
        to_page(*snapshot, rows, {options_.node, options_.metrics_path, request.name_space}));
  }
  return compressed(request, "text/plain; charset=utf-8",
                    to_table(rows, false) + to_lines(snapshot->orphans, snapshot->taken_at));
}

Response Routes::handle(const Request& request) {
  const std::string& path = request.path;
  if (path == "/healthz" || path == "/-/healthy") {
    return sources_.healthy() ? plain(200, "ok\n")
                              : plain(503, "the event loop has not come round for 12 s\n");
  }
  if (path == "/readyz" || path == "/-/ready") {
    return sources_.ready() ? plain(200, "ok\n") : plain(503, "the first round is under way\n");
  }
  const std::lock_guard lock(mutex_);
  if (path == options_.metrics_path) return metrics(request);
  if (!options_.pages) {
    return plain(404, "not found; there are " + options_.metrics_path + " /healthz /readyz\n");
  }
  if (path == "/" || path == "/api/v1/volumes") return page(request);
  if (path == "/page.js") {
    return compressed(request, "text/javascript; charset=utf-8", kPageScript);
  }
  return plain(404, "not found; there are / " + options_.metrics_path +
                        " /api/v1/volumes /healthz /readyz\n");
}

}  // namespace volumeter
