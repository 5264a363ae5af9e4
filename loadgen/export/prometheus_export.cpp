#include "loadgen/export/prometheus_export.hpp"

#include <mutex>
#include <utility>

#include "exporters/page_server.hpp"
#include "exporters/prometheus.hpp"
#include "loadgen/export/gpu_families.hpp"
#include "loadgen/export/run_page.hpp"

namespace loadgen {
namespace {

constexpr std::uint64_t live_page = 1;
constexpr std::uint64_t final_page = 2;
constexpr std::chrono::milliseconds last_answer_grace{1000};

class PulledPage final : public PrometheusExport {
 public:
  explicit PulledPage(const Scenario& scenario) : scenario_(scenario), page_(scenario_) {}
  ~PulledPage() override {
    if (server_) server_->stop(last_answer_grace);
  }

  Result<void, std::string> open(const PrometheusOutput& output) {
    exporters::PageServerOptions options;
    options.where = output.where;
    options.content_type = exporters::prometheus_content_type;
    options.page = [this] { return render(); };
    auto server = exporters::open_page_server(std::move(options));
    if (!server) return "--prometheus: " + server.error();
    server_ = std::move(*server);
    url_ = "http://" + exporters::HostPort{output.where.host, server_->port()}.text() + "/metrics";
    return {};
  }

  std::string url() const override { return url_; }

  void on_interval(const Scenario&, const RunFacts& facts, const Interval& interval) override {
    const std::scoped_lock lock(mutex_);
    page_.add(facts, interval);
  }

  void on_observed(const RunFacts& facts, const std::vector<SubjectReading>& readings) override {
    const std::scoped_lock lock(mutex_);
    gpus_.add(facts.run_id, readings);
  }

  void on_event(const RunFacts& facts, std::int64_t, const std::string&, const std::string&) override {
    const std::scoped_lock lock(mutex_);
    page_.begin(facts);
  }

  void on_checkpoint(const Scenario&, const RunTotals&) override {}

  Result<void, std::string> finish(const Scenario&, const RunTotals&, const Observations&, Summary& summary) override {
    summary.exporters["prometheus"] = account();
    const std::scoped_lock lock(mutex_);
    page_.end(summary);
    return {};
  }

  std::map<std::string, ExportAccount> accounts() const override { return {{"prometheus", account()}}; }

  void show_accounts(std::map<std::string, ExportAccount> accounts) override {
    const std::scoped_lock lock(mutex_);
    page_.set_accounts(std::move(accounts));
    if (page_.has_ended()) version_ = final_page;
  }

  bool was_scraped_since_end() const override { return server_->counts().newest_version == final_page; }

 private:
  /// On the listener's thread: only the copy is made under the lock.
  exporters::Page render() {
    std::unique_lock lock(mutex_);
    auto families = page_.families();
    if (!page_.has_ended()) gpus_.append(families);
    const std::uint64_t version = version_;
    lock.unlock();
    return {exporters::render_prometheus(families), version};
  }

  ExportAccount account() const {
    const auto counts = server_->counts();
    ExportAccount account;
    account.is_view = true;
    account.stored = counts.served;
    account.dropped = counts.lost;
    account.offered = counts.served + counts.lost;  // one that is under way is counted when it is known how it ends
    if (account.dropped > 0) account.first_error = "a client left, or was slow, before it had the page";
    return account;
  }

  const Scenario scenario_;  ///< a copy: the page keeps a reference
  std::string url_;
  std::mutex mutex_;
  RunPage page_;
  GpuFamilies gpus_;
  std::uint64_t version_ = live_page;
  std::unique_ptr<exporters::PageServer> server_;  // last: its thread uses all of the above
};

}  // namespace

Result<std::unique_ptr<PrometheusExport>, std::string> open_prometheus_export(const PrometheusOutput& output,
                                                                              const Scenario& scenario) {
  auto page = std::make_unique<PulledPage>(scenario);
  if (auto opened = page->open(output); !opened) return opened.error();
  return std::unique_ptr<PrometheusExport>(std::move(page));
}

}  // namespace loadgen
