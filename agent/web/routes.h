// Which path answers what. Never touches storage: everything comes from the snapshot.
#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <string>

#include "exposition/text.h"
#include "volumeter/snapshot.h"
#include "web/server.h"

namespace volumeter {

struct RouteOptions {
  std::string metrics_path = "/metrics";
  std::string node;
  bool pages = true;
};

// What the routes ask the rest of the agent; all callable from the HTTP thread.
struct RouteSources {
  std::function<std::shared_ptr<const Snapshot>()> snapshot;  // null before the first
  std::function<MeasurementSet(const Inventory&)> live;
  std::function<bool()> healthy;  // the event loop comes round
  std::function<bool()> ready;    // every volume has been tried once
};

class Routes {
 public:
  Routes(RouteOptions options, RouteSources sources);
  Response handle(const Request& request);

 private:
  Response metrics(const Request& request);
  Response page(const Request& request);

  const RouteOptions options_;
  const RouteSources sources_;
  TextExposition text_;
  std::mutex mutex_;  // several listen addresses have a thread each
};

}  // namespace volumeter
