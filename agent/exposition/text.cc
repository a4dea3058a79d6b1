#include "exposition/text.h"

#include <prometheus/metric_family.h>
#include <prometheus/text_serializer.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <limits>
#include <sstream>
#include <utility>

namespace volumeter {
namespace {

prometheus::ClientMetric::Histogram to_client_histogram(const Histogram& histogram) {
  prometheus::ClientMetric::Histogram out;
  for (std::size_t i = 0; i < histogram.counts().size(); ++i) {
    out.sample_count += histogram.counts()[i];
    const bool last = i == histogram.bounds().size();
    out.bucket.push_back(
        {out.sample_count, last ? std::numeric_limits<double>::infinity() : histogram.bounds()[i]});
  }
  out.sample_sum = histogram.sum();
  return out;
}

prometheus::ClientMetric to_client_metric(const MetricDesc& desc, const Series& series) {
  prometheus::ClientMetric metric;
  metric.label.resize(desc.labels.size());
  for (std::size_t i = 0; i < desc.labels.size(); ++i) {
    metric.label[i].name = desc.labels[i];
    metric.label[i].value = series.labels->at(i);
  }
  switch (desc.type) {
    case MetricType::kCounter:
      metric.counter.value = series.value;
      break;
    case MetricType::kGauge:
      metric.gauge.value = series.value;
      break;
    case MetricType::kHistogram:
      metric.histogram = to_client_histogram(*series.histogram);
      break;
  }
  return metric;
}

prometheus::MetricType to_client_type(MetricType type) {
  switch (type) {
    case MetricType::kCounter:
      return prometheus::MetricType::Counter;
    case MetricType::kGauge:
      return prometheus::MetricType::Gauge;
    case MetricType::kHistogram:
      return prometheus::MetricType::Histogram;
  }
  return prometheus::MetricType::Untyped;
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
  out.type = to_client_type(family.desc->type);
  out.metric.reserve(family.series.size());
  for (const Series& series : family.series) {
    out.metric.push_back(to_client_metric(*family.desc, series));
  }
  std::ostringstream text;
  prometheus::TextSerializer().Serialize(text, {std::move(out)});
  return std::move(text).str();
}

void TextExposition::write(Chunk& chunk, const Family& family) {
  chunk.text = serialize(family);
  chunk.value_at.clear();
  // A line a series, after the two that begin with '#'. No label holds a newline: it is escaped.
  for (std::size_t begin = 0; begin < chunk.text.size();) {
    const std::size_t end = chunk.text.find('\n', begin);
    if (chunk.text[begin] != '#') chunk.value_at.push_back(chunk.text.rfind(' ', end) + 1);
    begin = end + 1;
  }
}

bool TextExposition::rewrite_values(Chunk& chunk, const Family& family) {
  const auto same_labels = [](const Series& a, const Series& b) { return a.labels == b.labels; };
  if (chunk.value_at.size() != family.series.size() ||
      !std::equal(chunk.series.begin(), chunk.series.end(), family.series.begin(),
                  family.series.end(), same_labels)) {
    return false;
  }
  std::string text;
  text.reserve(chunk.text.size() + 32);
  std::size_t copied = 0;
  for (std::size_t i = 0; i < family.series.size(); ++i) {
    const double value = family.series[i].value;
    if (!std::isfinite(value)) return false;  // the serializer's business
    const std::size_t value_at = chunk.value_at[i];
    text.append(chunk.text, copied, value_at - copied);
    chunk.value_at[i] = text.size();
    // As the serializer writes it: %.16g.
    std::array<char, 32> digits{};
    const auto end =
        std::to_chars(digits.begin(), digits.end(), value, std::chars_format::general, 16).ptr;
    text.append(digits.begin(), end);
    copied = chunk.text.find('\n', value_at);
  }
  text.append(chunk.text, copied);
  chunk.text = std::move(text);
  return true;
}

TextExposition::Chunk& TextExposition::chunk(const Family& family) {
  Chunk& chunk = chunks_[family.desc];
  chunk.used_in = renders_;
  if (chunk.text.empty() || chunk.series != family.series) {
    if (!rewrite_values(chunk, family)) write(chunk, family);
    chunk.series = family.series;
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
    if (part.deflated.empty()) part.deflated = deflater_.chunk(part.text, part.crc);
    stream.append(part.deflated, part.crc, part.text.size());
  });
  forget_unused();
  return std::move(stream).finish();
}

}  // namespace volumeter
