#include "exposition/text.h"

#include <prometheus/metric_family.h>
#include <prometheus/text_serializer.h>

#include <sstream>

#include "exposition/gzip.h"

namespace volumeter {
namespace {

prometheus::ClientMetric to_client_metric(const MetricDesc& desc, const Series& series) {
  prometheus::ClientMetric metric;
  metric.label.resize(desc.labels.size());
  for (std::size_t i = 0; i < desc.labels.size(); ++i) {
    metric.label[i].name = desc.labels[i];
    metric.label[i].value = series.labels->at(i);
  }
  if (desc.type == MetricType::kCounter) {
    metric.counter.value = series.value;
  } else {
    metric.gauge.value = series.value;
  }
  return metric;
}

template <class Visit>
void each_family(const Snapshot& snapshot, const MeasurementSet& live, Visit&& visit) {
  // A family may have series in both (measurers' durations): it must appear once.
  std::unordered_map<const MetricDesc*, const Family*> in_live;
  for (const Family& family : live.families()) in_live[family.desc] = &family;
  for (const Family& family : snapshot.measurements.families()) {
    const auto it = in_live.find(family.desc);
    if (it == in_live.end()) {
      visit(family);
      continue;
    }
    Family both = family;
    both.series.insert(both.series.end(), it->second->series.begin(), it->second->series.end());
    visit(both);
    in_live.erase(it);
  }
  for (const Family& family : live.families()) {
    if (in_live.contains(family.desc)) visit(family);
  }
}

}  // namespace

std::string serialize(const Family& family) {
  if (family.series.empty()) return {};
  prometheus::MetricFamily out;
  out.name = family.desc->name;
  out.help = family.desc->help;
  out.type = family.desc->type == MetricType::kCounter ? prometheus::MetricType::Counter
                                                       : prometheus::MetricType::Gauge;
  out.metric.reserve(family.series.size());
  for (const Series& series : family.series) {
    out.metric.push_back(to_client_metric(*family.desc, series));
  }
  std::ostringstream text;
  prometheus::TextSerializer().Serialize(text, {std::move(out)});
  return std::move(text).str();
}

TextExposition::Chunk& TextExposition::chunk(const Family& family) {
  Chunk& chunk = chunks_[family.desc];
  chunk.used_in = renders_;
  if (chunk.text.empty() || chunk.series != family.series) {
    chunk.series = family.series;
    chunk.text = serialize(family);
    chunk.deflated.clear();
  }
  return chunk;
}

void TextExposition::forget_unused() {
  std::erase_if(chunks_, [this](const auto& item) { return item.second.used_in != renders_; });
}

std::string TextExposition::render(const Snapshot& snapshot, const MeasurementSet& live) {
  ++renders_;
  std::string text;
  each_family(snapshot, live, [&](const Family& family) { text += chunk(family).text; });
  forget_unused();
  return text;
}

std::string TextExposition::render_gzip(const Snapshot& snapshot, const MeasurementSet& live) {
  ++renders_;
  GzipStream stream;
  each_family(snapshot, live, [&](const Family& family) {
    Chunk& part = chunk(family);
    if (part.text.empty()) return;
    if (part.deflated.empty()) part.deflated = deflate_chunk(part.text, part.crc);
    stream.append(part.deflated, part.crc, part.text.size());
  });
  forget_unused();
  return std::move(stream).finish();
}

}  // namespace volumeter
