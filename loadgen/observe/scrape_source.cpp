#include "loadgen/observe/scrape_source.hpp"

#include <fmt/format.h>

#include <chrono>
#include <utility>

#include "exporters/http_client.hpp"
#include "loadgen/observe/page_metrics.hpp"

namespace loadgen {
namespace {

constexpr std::size_t largest_page = std::size_t{8} << 20;
constexpr std::chrono::milliseconds fetch_limit(2000);

class ScrapeSource final : public Source {
 public:
  ScrapeSource(MetricsPage page, Subject::Kind kind, std::shared_ptr<const std::atomic<bool>> stop)
      : page_(std::move(page)), kind_(kind), stop_(std::move(stop)), client_(options()) {}

  SourceRead read() override {
    const exporters::HttpAnswer answer = client_.get(page_.path);
    if (answer.status == 0) return {{}, answer.transport_error};
    if (answer.status != 200) return {{}, fmt::format("answered {}", answer.status)};
    if (answer.body.size() >= largest_page) return {{}, "the page is larger than 8 MiB"};
    auto readings = kind_ == Subject::Kind::gpu ? gpu_readings(answer.body) : server_readings(answer.body);
    if (!readings) return {{}, readings.error()};
    for (SubjectReading& one : *readings) {
      one.subject.source = page_.url;
      if (kind_ == Subject::Kind::server) one.subject.target = page_.target;
    }
    return {std::move(*readings), ""};
  }

 private:
  exporters::HttpClientOptions options() const {
    exporters::HttpClientOptions options;
    options.server = page_.server;
    options.timeout = fetch_limit;
    options.max_answer_bytes = largest_page;
    options.should_abort = [stop = stop_] { return stop->load(); };
    return options;
  }

  MetricsPage page_;
  Subject::Kind kind_;
  std::shared_ptr<const std::atomic<bool>> stop_;
  exporters::HttpClient client_;
};

}  // namespace

std::unique_ptr<Source> make_scrape_source(const MetricsPage& page, Subject::Kind kind,
                                           std::shared_ptr<const std::atomic<bool>> stop) {
  return std::make_unique<ScrapeSource>(page, kind, std::move(stop));
}

}  // namespace loadgen
