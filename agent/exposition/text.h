// Snapshot to Prometheus' text format 0.0.4, through prometheus-cpp's serializer.
#pragma once

#include <cstdint>
#include <string>
#include <unordered_map>

#include "volumeter/measurement.h"
#include "volumeter/snapshot.h"

namespace volumeter {

// Most of a node's numbers don't change between two scrapes, so each family's text (and its
// compressed form) is kept until its series change. One thread. Memory: twice the text.
class TextExposition {
 public:
  // The snapshot's families, then the live ones.
  std::string render(const Snapshot& snapshot, const MeasurementSet& live);
  // The same as one gzip stream (RFC 1952).
  std::string render_gzip(const Snapshot& snapshot, const MeasurementSet& live);

 private:
  struct Chunk {
    std::vector<Series> series;  // what `text` was made from
    std::string text;
    std::string deflated;  // empty until asked for
    std::uint32_t crc = 0;
    std::uint64_t used_in = 0;  // render count, to forget families that left
  };
  Chunk& chunk(const Family& family);
  void forget_unused();

  std::unordered_map<const MetricDesc*, Chunk> chunks_;
  std::uint64_t renders_ = 0;
};

// One family's text; HELP and TYPE lines included. Empty for a family without series.
std::string serialize(const Family& family);

}  // namespace volumeter
