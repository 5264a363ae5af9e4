// When did bytes arrive? From the kernel's receive stamp, which is in real time, to the one clock of the load
// generator. Pure: clocks are read by the caller.
#pragma once

#include <cstdint>

namespace loadgen {

/// When the last byte of a read arrived.
struct Arrival {
  std::int64_t at_ns = 0;    ///< the kernel's receive stamp where there is one, else `read_ns`
  std::int64_t read_ns = 0;  ///< directly after the read
  bool is_kernel_stamp = false;

  std::int64_t delay_ns() const noexcept { return read_ns - at_ns; }
};

/// The distance from CLOCK_MONOTONIC to CLOCK_REALTIME. Linux moves both at the same speed; the distance changes only
/// when the clock is set, so measurements of it only get better until then.
class RealtimeOffset {
 public:
  /// A real-time reading between two monotonic ones. The distance is known to half of the time between those two.
  void measure(std::int64_t mono_before_ns, std::int64_t real_ns, std::int64_t mono_after_ns) noexcept;

  /// The same instant on the monotonic clock; `measure` has been called before.
  std::int64_t to_monotonic(std::int64_t real_ns) const noexcept { return real_ns - offset_ns_; }

  /// Half of the narrowest bracket since the clock was last set: the most a converted stamp can be off.
  std::int64_t error_ns() const noexcept { return error_ns_; }
  /// How often the real-time clock was set while being watched.
  std::uint32_t steps() const noexcept { return steps_; }

 private:
  std::int64_t offset_ns_ = 0;
  std::int64_t error_ns_ = -1;  ///< negative: never measured
  std::uint32_t steps_ = 0;
};

/// `kernel_real_ns` is 0 where the kernel gave no stamp. A stamp that cannot be (after the read, or before
/// `not_before_ns`, as when the clock has just been set) gives way to the nearest instant that can.
Arrival make_arrival(std::int64_t kernel_real_ns, const RealtimeOffset& offset, std::int64_t not_before_ns,
                     std::int64_t read_ns) noexcept;

}  // namespace loadgen
