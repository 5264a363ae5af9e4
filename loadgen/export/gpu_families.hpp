// The GPUs of a run as Prometheus families: the last reading of each. All names: docs/live.md.
#pragma once

#include <string>
#include <vector>

#include "exporters/metrics/sample.hpp"
#include "loadgen/observe/reading.hpp"

namespace loadgen {

class GpuFamilies {
 public:
  /// Keeps the newest reading of each GPU; readings of servers are passed over.
  void add(const std::string& run, const std::vector<SubjectReading>& readings);

  /// Families in a fixed order, those without a sample left out. Labels: run, host, gpu, uuid.
  void append(std::vector<exporters::MetricFamily>& out) const;

 private:
  std::string run_;
  std::vector<SubjectReading> newest_;
};

}  // namespace loadgen
