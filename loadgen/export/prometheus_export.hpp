// A run as Prometheus sees it: a page that is pulled while the run lasts, and once more after it. Pages are made on the
// listener's thread, from what the controller added up once a second.
#pragma once

#include <chrono>
#include <map>
#include <memory>
#include <string>

#include "loadgen/export/live_options.hpp"
#include "loadgen/export/run_export.hpp"

namespace loadgen {

class PrometheusExport : public RunExport {
 public:
  /// Where the page is.
  virtual std::string url() const = 0;
  /// The accounts of all exporters, as the page shows them from now on.
  virtual void show_accounts(std::map<std::string, ExportAccount> accounts) = 0;
  /// Whether somebody pulled the whole page since finish() and the show_accounts() after it.
  virtual bool was_scraped_since_end() const = 0;
};

/// Listens before it returns. Its account in summary.json is called `prometheus`: pages served and given up until the
/// end of the run.
Result<std::unique_ptr<PrometheusExport>, std::string> open_prometheus_export(const PrometheusOutput& output,
                                                                              const Scenario& scenario);

}  // namespace loadgen
