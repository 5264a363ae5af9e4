// Everything that a run's numbers go to, as one: the run directory with its databases, and what is watched live.
#pragma once

#include <memory>
#include <string>

#include "loadgen/export/progress.hpp"
#include "loadgen/export/run_export.hpp"

namespace loadgen {

class AllExports : public RunExport {
 public:
  /// After finish(): waits for one more scrape of the page, so that a server that scrapes every few seconds gets the
  /// whole run; returns at once where there is no page. The stop_signals(), which must be blocked, end it.
  virtual void linger(const RunFacts& facts, ProgressKind progress) = 0;
};

/// Opens what the options name before the first request is sent. Where the page is goes to stderr. The error is one
/// line for the user.
Result<std::unique_ptr<AllExports>, std::string> open_all_exports(const ExportOptions& options,
                                                                  const Scenario& scenario);

}  // namespace loadgen
