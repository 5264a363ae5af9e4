#include "loadgen/observe/sample_series.hpp"

#include <algorithm>
#include <tuple>
#include <utility>

namespace loadgen {
namespace {

constexpr std::size_t longest_error = 300;
constexpr std::size_t most_waiting = 10'000;  ///< readings that nobody took; older ones are in the series still

auto key_of(const Subject& subject) {
  return std::tie(subject.kind, subject.source, subject.gpu, subject.uuid, subject.host, subject.target, subject.model);
}

}  // namespace

std::size_t SampleStore::add_source(SourceLog log) {
  kept_.sources.push_back(std::move(log));
  return kept_.sources.size() - 1;
}

SampleSeries* SampleStore::series_of(const Subject& subject) {
  const auto found = std::find_if(kept_.series.begin(), kept_.series.end(), [&](const SampleSeries& series) {
    return key_of(series.subject) == key_of(subject);
  });
  if (found != kept_.series.end()) return &*found;
  if (kept_.series.size() >= most_subjects) return nullptr;
  return &kept_.series.emplace_back(SampleSeries{subject, {}});
}

void SampleStore::note_failure(SourceLog& log, std::int64_t at_ns, const std::string& error) {
  if (log.failed_at_ns.size() < most_failures) log.failed_at_ns.push_back(at_ns);
  if (log.first_error.empty()) log.first_error = error.substr(0, longest_error);
}

void SampleStore::add(std::size_t source, std::int64_t at_ns, SourceRead read) {
  if (source >= kept_.sources.size()) return;
  SourceLog& log = kept_.sources[source];
  for (SubjectReading& one : read.readings) {
    one.reading.at_ns = at_ns;
    SampleSeries* const series = series_of(one.subject);
    if (series == nullptr) {
      read.error = "it has more GPUs or models than can be kept";
      break;
    }
    if (series->readings.size() < most_readings) series->readings.push_back(one.reading);
    if (new_.size() < most_waiting) new_.push_back(std::move(one));
  }
  if (!read.error.empty()) note_failure(log, at_ns, read.error);
}

std::vector<SubjectReading> SampleStore::take_new() {
  return std::exchange(new_, {});
}

Observations SampleStore::take() {
  return std::exchange(kept_, {});
}

}  // namespace loadgen
