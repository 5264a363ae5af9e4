// A heap of bounded size.
#include "loadgen/record/slowest.hpp"

#include <algorithm>
#include <utility>

namespace loadgen {
namespace {

/// Equal times are ranked by index, so that the choice does not depend on the order they come in.
bool is_slower(const SlowRequest& a, const SlowRequest& b) noexcept {
  return a.took_ns != b.took_ns ? a.took_ns > b.took_ns : a.record.index < b.record.index;
}

}  // namespace

bool SlowestRequests::is_too_fast(std::int64_t took_ns) const noexcept {
  return limit_ == 0 || (kept_.size() == limit_ && took_ns < kept_.front().took_ns);
}

void SlowestRequests::push(SlowRequest&& request) {
  if (kept_.size() == limit_) {
    if (!is_slower(request, kept_.front())) return;
    std::pop_heap(kept_.begin(), kept_.end(), is_slower);
    kept_.pop_back();
  }
  kept_.push_back(std::move(request));
  std::push_heap(kept_.begin(), kept_.end(), is_slower);
}

void SlowestRequests::add(const RequestRecord& record, const RequestMetrics& metrics, LoopKind loop) {
  const Stamps& t = record.stamps;
  if (t.send == 0 || record.outcome == Outcome::cancelled) return;
  const std::int64_t took = t.end - (loop == LoopKind::open ? t.intended : t.send);
  if (!is_too_fast(took)) push({record, metrics, took});
}

void SlowestRequests::take(SlowestRequests& other) {
  for (SlowRequest& request : other.kept_)
    if (!is_too_fast(request.took_ns)) push(std::move(request));
  other.kept_.clear();
}

std::vector<const SlowRequest*> SlowestRequests::ranked() const {
  std::vector<const SlowRequest*> ranked;
  for (const SlowRequest& request : kept_) ranked.push_back(&request);
  std::sort(ranked.begin(), ranked.end(), [](const auto* a, const auto* b) { return is_slower(*a, *b); });
  return ranked;
}

}  // namespace loadgen
