// The few slowest requests of a run, kept whole: every token's stamp, not just the percentile it fell into.
#pragma once

#include <cstdint>
#include <vector>

#include "loadgen/drive/request_record.hpp"
#include "loadgen/record/request_metrics.hpp"

namespace loadgen {

/// A request with its token events.
struct SlowRequest {
  RequestRecord record;
  RequestMetrics metrics;
  std::int64_t took_ns = 0;  ///< what it is ranked by: to its end, from the planned start (closed loop: the send)
};

/// Keeps the `limit` slowest of what it is shown. Costs a comparison for all others.
class SlowestRequests {
 public:
  explicit SlowestRequests(std::uint32_t limit = 0) : limit_(limit) {}

  /// Of those that were cut off too: how long they had taken by then. Those never sent, and those the run itself
  /// cancelled, say nothing about the server and are left out.
  void add(const RequestRecord& record, const RequestMetrics& metrics, LoopKind loop);
  /// Shows it everything another one has kept; that one is empty then.
  void take(SlowestRequests& other);
  void reset() noexcept { kept_.clear(); }

  /// Slowest first.
  std::vector<const SlowRequest*> ranked() const;
  std::uint32_t limit() const noexcept { return limit_; }

 private:
  void push(SlowRequest&& request);
  bool is_too_fast(std::int64_t took_ns) const noexcept;

  std::uint32_t limit_ = 0;
  std::vector<SlowRequest> kept_;  ///< a heap whose top is the fastest of them
};

}  // namespace loadgen
