// Words and URLs to pages.
#include "loadgen/plan/observe_fields.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "loadgen/plan/target.hpp"

namespace loadgen {
namespace {

constexpr std::size_t most_pages = 64;
constexpr TextRange url_text{2000, TextRange::Kind::line};
constexpr std::string_view dcgm_prefix = "dcgm:";
constexpr std::string_view whole_targets = "target";

/// The page of a target, or why it has none that we could read.
Result<MetricsPage, std::string> page_of(const Target& target) {
  if (!target.unix_path.empty())
    return {boost::system::in_place_error,
            fmt::format("'target' cannot be read over the unix socket {}: give the URL of its page", target.url)};
  const std::string server = (target.is_tls ? "https://" : "http://") + target.authority;
  return MetricsPage{server + target.base_path + "/metrics", server, target.base_path + "/metrics", target.url};
}

/// Reads pages of one field, each once.
class PageList {
 public:
  PageList(const ObjectReader& reader, const char* key, const Scenario& scenario)
      : reader_(reader), key_(key), scenario_(scenario) {}

  void add(Result<MetricsPage, std::string> page) {
    if (!page) return reader_.fail(key_, page.error());
    for (const MixEntry& entry : scenario_.mix) {
      const Target& target = entry.target;
      if (page->target != page->server) break;  // it is a target's own
      if (target.unix_path.empty() && page->server == (target.is_tls ? "https://" : "http://") + target.authority)
        page->target = target.url;
    }
    const auto same = [&](const MetricsPage& other) { return other.url == page->url; };
    if (std::none_of(pages_.begin(), pages_.end(), same)) pages_.push_back(std::move(*page));
  }
  void add_targets() {
    for (const MixEntry& entry : scenario_.mix) add(page_of(entry.target));
  }
  std::vector<MetricsPage> take() {
    if (pages_.size() > most_pages) reader_.fail(key_, fmt::format("has more than {} pages", most_pages));
    return std::move(pages_);
  }

 private:
  const ObjectReader& reader_;
  const char* key_;
  const Scenario& scenario_;
  std::vector<MetricsPage> pages_;
};

void read_source(const ObjectReader& reader, const Scenario& scenario, Observe& observe) {
  const auto text = reader.text("source", url_text);
  if (!text) return;
  PageList pages(reader, "source", scenario);
  if (*text == "nvml") {
    observe.gpu = GpuSource::nvml;
  } else if (*text == "target") {
    observe.gpu = GpuSource::target;
    pages.add_targets();
  } else if (text->starts_with(dcgm_prefix)) {
    observe.gpu = GpuSource::dcgm;
    pages.add(parse_metrics_page(std::string_view(*text).substr(dcgm_prefix.size())));
  } else if (*text != "none") {
    reader.fail("source",
                fmt::format("must be none, nvml, target or dcgm:URL, as in dcgm:http://127.0.0.1:9400, is '{}'",
                            text->substr(0, 100)));
  }
  observe.gpu_pages = pages.take();
}

void read_gpu(const Document& document, const ObjectReader& observe, const Scenario& scenario, ScenarioErrors& errors,
              Observe& result) {
  if (observe.find("gpu") == nullptr) return;
  const ObjectReader reader(document, observe.pointer("gpu"), errors, {"source", "memory_baseline_mib"});
  if (!reader.is_mapping()) return;
  if (!reader.has("source")) reader.fail("source", "is missing: none, nvml, target or dcgm:URL");
  read_source(reader, scenario, result);
  result.memory_baseline_mib = reader.number("memory_baseline_mib", {0, 1e9});
}

}  // namespace

Result<MetricsPage, std::string> parse_metrics_page(std::string_view url) {
  const auto target = parse_target(url);
  if (!target) return {boost::system::in_place_error, target.error()};
  if (!target->unix_path.empty())
    return {boost::system::in_place_error, "must be an http:// or https:// URL, as in http://127.0.0.1:9400/metrics"};
  const std::string server = (target->is_tls ? "https://" : "http://") + target->authority;
  const std::string path = target->base_path.empty() ? "/metrics" : target->base_path;
  return MetricsPage{server + path, server, path, server};
}

Observe read_observe(const Document& document, const ObjectReader& reader, const Scenario& scenario,
                     ScenarioErrors& errors) {
  Observe result;
  if (reader.find("observe") == nullptr) return result;
  const ObjectReader observe(document, reader.pointer("observe"), errors, {"gpu", "scrape"});
  if (!observe.is_mapping()) return result;
  read_gpu(document, observe, scenario, errors, result);
  if (!observe.has("scrape")) return result;
  PageList pages(observe, "scrape", scenario);
  for (const std::string& text : observe.texts("scrape", most_pages, url_text).value_or(std::vector<std::string>{})) {
    if (text == whole_targets) {
      pages.add_targets();
    } else {
      pages.add(parse_metrics_page(text));
    }
  }
  result.scrape = pages.take();
  return result;
}

}  // namespace loadgen
