#include "loadgen/drive/arrival.hpp"

#include <algorithm>
#include <cstdlib>

namespace loadgen {

void RealtimeOffset::measure(std::int64_t mono_before_ns, std::int64_t real_ns, std::int64_t mono_after_ns) noexcept {
  const std::int64_t error = (mono_after_ns - mono_before_ns + 1) / 2;
  const std::int64_t offset = real_ns - (mono_before_ns + (mono_after_ns - mono_before_ns) / 2);
  const bool was_set = error_ns_ >= 0 && std::abs(offset - offset_ns_) > error + error_ns_ + 1;
  if (was_set) ++steps_;
  if (error_ns_ >= 0 && !was_set && error >= error_ns_) return;
  offset_ns_ = offset;
  error_ns_ = error;
}

Arrival make_arrival(std::int64_t kernel_real_ns, const RealtimeOffset& offset, std::int64_t not_before_ns,
                     std::int64_t read_ns) noexcept {
  Arrival arrival{read_ns, read_ns, kernel_real_ns != 0};
  if (arrival.is_kernel_stamp) {
    arrival.at_ns = std::clamp(offset.to_monotonic(kernel_real_ns), std::min(not_before_ns, read_ns), read_ns);
  }
  return arrival;
}

}  // namespace loadgen
