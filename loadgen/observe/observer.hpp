// Looks at every source of a run once a second, each on a thread of its own, so that a slow page delays nothing else.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "loadgen/observe/sample_series.hpp"
#include "loadgen/plan/scenario.hpp"
#include "loadgen/result.hpp"

namespace loadgen {

class Observer {
 public:
  /// Opens the sources of `scenario`. One that cannot be opened is kept as such: its log says why. `nvml_library` names
  /// another library than the usual one; null or empty: the usual one.
  Observer(const Scenario& scenario, const char* nvml_library);
  /// As finish(), if that was not called.
  ~Observer();
  Observer(const Observer&) = delete;
  Observer& operator=(const Observer&) = delete;

  /// One line per source that cannot be opened.
  std::vector<std::string> complaints() const;

  /// Begins to look, at once and then every second.
  void start();

  /// What was read since the last call; after finish() the rest.
  std::vector<SubjectReading> take_new();

  /// Looks a last time, ends the threads and gives everything. A source that does not answer within a few seconds is
  /// left to itself.
  Observations finish();

 private:
  struct State;
  class Watch;
  void open_gpus(const Scenario& scenario, const char* nvml_library);
  void add(SourceLog log, std::unique_ptr<Source> source);
  void end_threads();

  std::shared_ptr<State> state_;
  std::vector<std::unique_ptr<Watch>> watches_;
};

/// A line for `loadgen doctor`: the GPUs that NVML finds on this machine; the error says why there are none.
Result<std::string, std::string> describe_nvml(const char* nvml_library);

}  // namespace loadgen
