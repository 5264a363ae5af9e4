#include "loadgen/export/observed_points.hpp"

#include <algorithm>
#include <cmath>
#include <string>

#include "exporters/influx_line.hpp"
#include "loadgen/export/wall_time.hpp"

namespace loadgen {
namespace {

using exporters::InfluxPoint;

void add_tags(InfluxPoint& point, const Subject& subject) {
  if (subject.kind == Subject::Kind::gpu) {
    point.tag("host", subject.host).tag("gpu", subject.gpu).tag("uuid", subject.uuid);
  } else {
    point.tag("target", subject.target).tag("model", subject.model);
  }
}

/// Requests and tokens are whole numbers: a field has one type, whatever value comes first.
bool is_whole(ObservedMetric metric) {
  return info(metric).unit == ObservedUnit::count && metric != ObservedMetric::server_queue_time_s;
}

}  // namespace

void append_observed(exporters::Batch& batch, const RunFacts& facts, const std::vector<SubjectReading>& readings) {
  for (const auto& [subject, reading] : readings) {
    const std::string shard = std::to_string(facts.shard);
    InfluxPoint point(batch.bytes, subject.kind == Subject::Kind::gpu ? "gpu" : "llm_server");
    point.tag("run", facts.run_id);
    if (facts.shards > 1) point.tag("shard", shard);
    add_tags(point, subject);
    for (std::size_t i = 0; i < read_metric_count; ++i) {
      const auto metric = static_cast<ObservedMetric>(i);
      if (!reading.values.has(metric)) continue;
      const double value = reading.values[metric];
      if (is_whole(metric)) {
        point.field(info(metric).field, std::llround(std::clamp(value, -9e18, 9e18)));
      } else {
        point.field(info(metric).field, value);
      }
    }
    if (reading.knows_throttle) point.field("throttle", reading.throttle);
    if (point.finish(wall_ns(facts, reading.at_ns)) == exporters::PointResult::appended) batch.end_record();
  }
}

}  // namespace loadgen
