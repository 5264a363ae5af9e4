// The readings of a run, kept by source and subject, bounded in memory. Knows neither clocks nor threads.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "loadgen/observe/reading.hpp"

namespace loadgen {

/// All readings of one subject, in the order of time.
struct SampleSeries {
  Subject subject;
  std::vector<Reading> readings;
};

/// What became of one source.
struct SourceLog {
  std::string name;  ///< nvml, or the URL of a page
  Subject::Kind kind = Subject::Kind::gpu;
  bool is_page = false;                    ///< others renew it, or do not; a driver is asked itself
  bool is_open = false;                    ///< false: nothing was ever read, `first_error` says why
  std::vector<std::int64_t> failed_at_ns;  ///< monotonic: looks that gave less than everything
  std::string first_error;
  std::vector<std::string> notes;  ///< versions, and what the source does not have
  bool is_targets = true;          ///< its GPUs are those that serve the requests, as far as we know
};

struct Observations {
  std::vector<SourceLog> sources;
  std::vector<SampleSeries> series;
};

/// Takes what sources give and keeps it.
class SampleStore {
 public:
  static constexpr std::size_t most_subjects = 256;      ///< further ones are counted as failures
  static constexpr std::size_t most_readings = 200'000;  ///< per subject: 55 hours; later ones are not kept
  static constexpr std::size_t most_failures = 200'000;  ///< whose times are kept, per source

  /// The position of the new source.
  std::size_t add_source(SourceLog log);
  /// After take() nothing is kept any more: a source may come back when nobody waits for it.
  void add(std::size_t source, std::int64_t at_ns, SourceRead read);

  const std::vector<SourceLog>& sources() const noexcept { return kept_.sources; }

  /// What came since the last call.
  std::vector<SubjectReading> take_new();
  Observations take();

 private:
  SampleSeries* series_of(const Subject& subject);
  void note_failure(SourceLog& log, std::int64_t at_ns, const std::string& error);

  Observations kept_;
  std::vector<SubjectReading> new_;
};

}  // namespace loadgen
