// A metrics page as a source: fetched over HTTP with bounded time and size, then read by page_metrics.
#pragma once

#include <atomic>
#include <memory>

#include "loadgen/observe/reading.hpp"
#include "loadgen/plan/observe.hpp"

namespace loadgen {

/// `kind` says what is looked for on the page. A fetch takes two seconds at most, a page has at most 8 MiB; proxies are
/// not used, redirects not followed. A fetch under way is given up about a second after `stop` becomes true.
std::unique_ptr<Source> make_scrape_source(const MetricsPage& page, Subject::Kind kind,
                                           std::shared_ptr<const std::atomic<bool>> stop);

}  // namespace loadgen
