// A fixed-memory histogram with bounded relative error (HdrHistogram): record, add, read percentiles.
// Knows integers only: no unit, no clock, no file format. Not thread-safe; one owner records, copies are handed on.
#pragma once

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace exporters {

/// Range and resolution. Defaults: 1 µs to 1 h at three significant digits, 23 552 slots, 184 KiB.
struct HdrConfig {
  std::int64_t lowest = 1;               ///< smallest value told apart from 0; at least 1
  std::int64_t highest = 3'600'000'000;  ///< largest value kept apart; at least 2 * lowest
  int digits = 3;                        ///< significant decimal digits, 1 to 5
  bool operator==(const HdrConfig&) const = default;
};

/// True if a histogram of this shape exists (what HdrHistogram and HdrLayout assert).
bool is_valid(const HdrConfig& config) noexcept;

/// Which slot a value falls into and which values a slot covers; integer arithmetic derived from the configuration.
/// Slots are in ascending order of value. Source: HdrHistogram's AbstractHistogram.
class HdrLayout {
 public:
  explicit HdrLayout(const HdrConfig& config);

  std::size_t slot_count() const noexcept { return slot_count_; }

  /// Slot of a value in [0, highest].
  std::size_t slot_of(std::int64_t value) const noexcept {
    const int bucket = bucket_magnitude(value);
    const std::int64_t sub_bucket = value >> (bucket + unit_magnitude_);
    return (static_cast<std::size_t>(bucket) << sub_half_magnitude_) + static_cast<std::size_t>(sub_bucket);
  }

  /// Smallest value of a slot.
  std::int64_t lowest_of(std::size_t slot) const noexcept;
  /// Largest value of a slot: what percentiles and maxima report.
  std::int64_t highest_of(std::size_t slot) const noexcept { return lowest_of(slot) + (width_of(slot) - 1); }
  /// Middle of a slot: what mean and deviation use.
  std::int64_t median_of(std::size_t slot) const noexcept { return lowest_of(slot) + (width_of(slot) >> 1); }
  /// How many integers share a slot.
  std::int64_t width_of(std::size_t slot) const noexcept;

 private:
  int bucket_magnitude(std::int64_t value) const noexcept {
    return 63 - std::countl_zero(static_cast<std::uint64_t>(value | sub_bucket_mask_)) - unit_magnitude_ -
           sub_half_magnitude_;
  }

  int unit_magnitude_;            ///< log2 of the width of the narrowest slot
  int sub_half_magnitude_;        ///< log2 of the slots that each bucket after the first one adds
  std::int64_t sub_bucket_mask_;  ///< sends every small value to bucket 0
  std::size_t slot_count_;
};

class HdrHistogram {
 public:
  /// Allocates nothing; the counts come with the first record() or add().
  explicit HdrHistogram(HdrConfig config = {});

  /// Counts `value` `count` times. A negative value counts as 0, one above `highest` as `highest`; both show in
  /// clamped().
  void record(std::int64_t value, std::uint64_t count = 1) {
    if (count == 0) return;
    if (value < 0 || value > config_.highest) [[unlikely]] {
      clamped_ += count;
      value = value < 0 ? 0 : config_.highest;
    }
    add_to_slot(layout_.slot_of(value), count);
  }

  /// Counts `count` more in one slot (< layout().slot_count(), asserted): for decoders.
  void record_slot(std::size_t slot, std::uint64_t count);

  /// Says that `count` of the values counted by slot had been moved into the range: for decoders, which cannot see it.
  void note_clamped(std::uint64_t count) noexcept { clamped_ += count; }

  /// Adds every count of `other`, which must have the same configuration (asserted). Lossless.
  void add(const HdrHistogram& other);

  /// Empties it and keeps the memory; costs only the range that was touched.
  void reset() noexcept;

  std::uint64_t count() const noexcept { return count_; }
  std::uint64_t clamped() const noexcept { return clamped_; }  ///< how many of count() were moved into the range

  /// Smallest recorded v with count(<= v) >= ceil(q * count), q in [0, 1], as the highest value equivalent to it; for
  /// q = 0 the lowest equivalent of the smallest one; 0 when empty. The rule of the Java library 2.1.11, which steps
  /// the percentile down by one ulp so that rounding never lifts an exact rank into the next slot.
  std::int64_t value_at_quantile(double q) const;

  /// The rank that rule gives among `count` values: 1 ... count, and 1 when count is 0.
  static std::uint64_t rank_at_quantile(double q, std::uint64_t count);
  /// Highest equivalent value of the rank-th smallest value, rank >= 1; 0 if there are fewer.
  std::int64_t value_at_rank(std::uint64_t rank) const;

  /// Lowest equivalent of the smallest value, highest equivalent of the largest one; 0 when empty.
  std::int64_t min_value() const noexcept { return count_ == 0 ? 0 : layout_.lowest_of(first_); }
  std::int64_t max_value() const noexcept { return count_ == 0 ? 0 : layout_.highest_of(last_); }

  /// Bucket-based (slot middles), population form; 0 when empty. metrics/distribution.hpp has exact ones.
  double mean() const;
  double stddev() const;

  /// Calls f(slot, lowest value, highest equivalent value, count) for every non-empty slot in ascending order.
  template <class F>
  void for_each_slot(F f) const {
    if (count_ == 0) return;
    for (std::size_t slot = first_; slot <= last_; ++slot)
      if (counts_[slot] != 0) f(slot, layout_.lowest_of(slot), layout_.highest_of(slot), counts_[slot]);
  }

  const HdrConfig& config() const noexcept { return config_; }
  const HdrLayout& layout() const noexcept { return layout_; }

 private:
  void add_to_slot(std::size_t slot, std::uint64_t count) {
    if (counts_.empty()) [[unlikely]]
      allocate();
    counts_[slot] += count;
    count_ += count;
    first_ = std::min(first_, slot);
    last_ = std::max(last_, slot);
  }
  void allocate();

  HdrConfig config_;
  HdrLayout layout_;
  std::vector<std::uint64_t> counts_;  ///< empty until first used; zero outside [first_, last_]
  std::uint64_t count_ = 0;
  std::uint64_t clamped_ = 0;
  std::size_t first_;     ///< lowest non-empty slot; slot_count() when empty
  std::size_t last_ = 0;  ///< highest non-empty slot
};

}  // namespace exporters
