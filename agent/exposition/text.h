// Snapshot to Prometheus' text format 0.0.4, through prometheus-cpp's serializer.
#pragma once

#include <cstdint>
#include <string>
#include <unordered_map>

#include "exposition/gzip.h"
#include "volumeter/measurement.h"
#include "volumeter/snapshot.h"

namespace volumeter {

// Most of a node's numbers don't change between two scrapes, and labels hardly ever. So each
// family's text (and its compressed form) is kept until its series change; where only values
// changed, only they are written anew. One thread. Memory: twice the text.
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
    // Where each series' value begins and the text after it goes on.
    std::vector<std::size_t> value_at;
    std::string deflated;  // empty until asked for
    std::uint32_t crc = 0;
    std::uint64_t used_in = 0;  // render count, to forget families that left
  };
  Chunk& chunk(const Family& family);
  static void write(Chunk& chunk, const Family& family);
  static bool rewrite_values(Chunk& chunk, const Family& family);
  void forget_unused();

  std::unordered_map<const MetricDesc*, Chunk> chunks_;
  Deflater deflater_;
  std::uint64_t renders_ = 0;
};

// One family's text; HELP and TYPE lines included. Empty for a family without series.
std::string serialize(const Family& family);

}  // namespace volumeter
