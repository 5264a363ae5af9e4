#include "loadgen/export/all_exports.hpp"

#include <fmt/format.h>

#include <chrono>
#include <cstdio>
#include <ctime>
#include <utility>
#include <vector>

#include "loadgen/export/prometheus_export.hpp"
#include "loadgen/export/statsd_export.hpp"
#include "loadgen/export/stop_signals.hpp"

namespace loadgen {
namespace {

using std::chrono::nanoseconds;

constexpr nanoseconds default_linger = std::chrono::seconds(30);

/// True if a signal to stop came within `limit`.
bool is_told_to_stop(nanoseconds limit) {
  const sigset_t set = stop_signals();
  const auto seconds = std::chrono::floor<std::chrono::seconds>(limit);
  const timespec timeout{static_cast<time_t>(seconds.count()), static_cast<long>((limit - seconds).count())};
  return sigtimedwait(&set, nullptr, &timeout) > 0;
}

class Composite final : public AllExports {
 public:
  Result<void, std::string> open(const ExportOptions& options, const Scenario& scenario) {
    if (options.live.statsd) {
      auto statsd = open_statsd_export(*options.live.statsd, scenario);
      if (!statsd) return statsd.error();
      parts_.push_back(std::move(*statsd));
    }
    if (options.live.prometheus) {
      auto page = open_prometheus_export(*options.live.prometheus, scenario);
      if (!page) return page.error();
      page_ = page->get();
      parts_.push_back(std::move(*page));
      linger_ = options.live.prometheus->linger;
    }
    // Last: it writes down what the others' accounts are.
    auto directory = make_run_export(options, scenario);
    if (!directory) return directory.error();
    parts_.push_back(std::move(*directory));
    if (page_ != nullptr) fmt::print(stderr, "metrics: {}\n", page_->url());
    return {};
  }

  void on_interval(const Scenario& scenario, const RunFacts& facts, const Interval& interval) override {
    for (const auto& part : parts_) part->on_interval(scenario, facts, interval);
    if (page_ != nullptr) page_->show_accounts(accounts());
  }

  void on_observed(const RunFacts& facts, const std::vector<SubjectReading>& readings) override {
    for (const auto& part : parts_) part->on_observed(facts, readings);
  }

  void on_event(const RunFacts& facts, std::int64_t at_ns, const std::string& kind, const std::string& text) override {
    for (const auto& part : parts_) part->on_event(facts, at_ns, kind, text);
  }

  void on_checkpoint(const Scenario& scenario, const RunTotals& totals) override {
    for (const auto& part : parts_) part->on_checkpoint(scenario, totals);
  }

  Result<void, std::string> finish(const Scenario& scenario, const RunTotals& totals, const Observations& observations,
                                   Summary& summary) override {
    Result<void, std::string> result;
    for (const auto& part : parts_)
      if (auto finished = part->finish(scenario, totals, observations, summary); !finished) result = finished;
    if (page_ != nullptr) page_->show_accounts(summary.exporters);
    return result;
  }

  std::map<std::string, ExportAccount> accounts() const override {
    std::map<std::string, ExportAccount> all;
    for (const auto& part : parts_) all.merge(part->accounts());
    return all;
  }

  void linger(const RunFacts& facts, ProgressKind progress) override {
    if (page_ == nullptr || (facts.interrupted && !linger_)) return;
    const nanoseconds limit = linger_.value_or(default_linger);
    const auto until = std::chrono::steady_clock::now() + limit;
    if (progress != ProgressKind::quiet && limit > nanoseconds(0) && !page_->was_scraped_since_end())
      fmt::print(stderr, "waiting for a last scrape of {}, at most {:.4g} s (Ctrl-C ends the wait)\n", page_->url(),
                 std::chrono::duration<double>(limit).count());
    while (!page_->was_scraped_since_end() && std::chrono::steady_clock::now() < until)
      if (is_told_to_stop(std::chrono::milliseconds(50))) return;
  }

 private:
  std::vector<std::unique_ptr<RunExport>> parts_;
  PrometheusExport* page_ = nullptr;  ///< one of them
  std::optional<nanoseconds> linger_;
};

}  // namespace

Result<std::unique_ptr<AllExports>, std::string> open_all_exports(const ExportOptions& options,
                                                                  const Scenario& scenario) {
  auto all = std::make_unique<Composite>();
  if (auto opened = all->open(options, scenario); !opened) return opened.error();
  return std::unique_ptr<AllExports>(std::move(all));
}

}  // namespace loadgen
