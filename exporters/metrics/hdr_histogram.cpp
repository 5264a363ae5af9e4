#include "exporters/metrics/hdr_histogram.hpp"

#include <cassert>
#include <cmath>
#include <limits>

namespace exporters {
namespace {

constexpr int max_digits = 5;

/// log2 of the sub-bucket count: the smallest power of two that tells 2 * 10^digits values apart.
int sub_bucket_magnitude(int digits) noexcept {
  std::uint64_t largest_single = 2;
  for (int i = 0; i < digits; ++i) largest_single *= 10;
  return 64 - std::countl_zero(largest_single - 1);
}

int unit_magnitude(std::int64_t lowest) noexcept {
  return 63 - std::countl_zero(static_cast<std::uint64_t>(lowest));
}

std::size_t bucket_count(std::int64_t highest, int covered_magnitude) noexcept {
  std::size_t buckets = 1;
  while (covered_magnitude < 63 && (std::int64_t{1} << covered_magnitude) <= highest) {
    ++covered_magnitude;
    ++buckets;
  }
  return buckets;
}

}  // namespace

bool is_valid(const HdrConfig& config) noexcept {
  return config.lowest >= 1 && config.lowest <= std::numeric_limits<std::int64_t>::max() / 2 &&
         config.highest >= 2 * config.lowest && config.digits >= 1 && config.digits <= max_digits &&
         unit_magnitude(config.lowest) + sub_bucket_magnitude(config.digits) <= 62;
}

HdrLayout::HdrLayout(const HdrConfig& config) {
  assert(is_valid(config));
  const int sub_magnitude = sub_bucket_magnitude(config.digits);
  unit_magnitude_ = unit_magnitude(config.lowest);
  sub_half_magnitude_ = sub_magnitude - 1;
  sub_bucket_mask_ = ((std::int64_t{1} << sub_magnitude) - 1) << unit_magnitude_;
  const std::size_t buckets = bucket_count(config.highest, sub_magnitude + unit_magnitude_);
  slot_count_ = (buckets + 1) << sub_half_magnitude_;
}

std::int64_t HdrLayout::lowest_of(std::size_t slot) const noexcept {
  const std::size_t half = std::size_t{1} << sub_half_magnitude_;
  const std::size_t row = slot >> sub_half_magnitude_;  // rows 0 and 1 are the two halves of bucket 0
  if (row <= 1) return static_cast<std::int64_t>(slot) << unit_magnitude_;
  const auto sub_bucket = static_cast<std::int64_t>((slot & (half - 1)) + half);
  return sub_bucket << (static_cast<int>(row) - 1 + unit_magnitude_);
}

std::int64_t HdrLayout::width_of(std::size_t slot) const noexcept {
  const int row = static_cast<int>(slot >> sub_half_magnitude_);
  return std::int64_t{1} << (unit_magnitude_ + std::max(row - 1, 0));
}

HdrHistogram::HdrHistogram(HdrConfig config) : config_(config), layout_(config), first_(layout_.slot_count()) {}

void HdrHistogram::allocate() {
  counts_.resize(layout_.slot_count());
}

void HdrHistogram::record_slot(std::size_t slot, std::uint64_t count) {
  assert(slot < layout_.slot_count());
  if (count != 0) add_to_slot(slot, count);
}

void HdrHistogram::add(const HdrHistogram& other) {
  assert(config_ == other.config_);
  if (other.count_ == 0) return;
  if (counts_.empty()) allocate();
  for (std::size_t slot = other.first_; slot <= other.last_; ++slot) counts_[slot] += other.counts_[slot];
  count_ += other.count_;
  clamped_ += other.clamped_;
  first_ = std::min(first_, other.first_);
  last_ = std::max(last_, other.last_);
}

void HdrHistogram::reset() noexcept {
  if (count_ != 0) std::fill(&counts_[first_], &counts_[last_] + 1, 0);
  count_ = clamped_ = 0;
  first_ = layout_.slot_count();
  last_ = 0;
}

std::uint64_t HdrHistogram::rank_at_quantile(double q, std::uint64_t count) {
  const double stepped = std::nextafter(q * 100.0, -std::numeric_limits<double>::infinity());
  const double percentile = std::clamp(stepped, 0.0, 100.0);
  const double rank = std::ceil(percentile * static_cast<double>(count) / 100.0);
  // Above 2^53 values the product may round up past the count.
  const std::uint64_t bounded = rank >= static_cast<double>(count) ? count : static_cast<std::uint64_t>(rank);
  return std::max<std::uint64_t>(1, bounded);
}

std::int64_t HdrHistogram::value_at_rank(std::uint64_t rank) const {
  std::uint64_t seen = 0;
  if (count_ == 0) return 0;
  for (std::size_t slot = first_; slot <= last_; ++slot) {
    seen += counts_[slot];
    if (seen >= rank) return layout_.highest_of(slot);
  }
  return 0;
}

std::int64_t HdrHistogram::value_at_quantile(double q) const {
  assert(q >= 0.0 && q <= 1.0);
  if (q == 0.0) return min_value();
  return value_at_rank(rank_at_quantile(q, count_));
}

double HdrHistogram::mean() const {
  if (count_ == 0) return 0.0;
  double sum = 0.0;
  for_each_slot([&](std::size_t slot, std::int64_t, std::int64_t, std::uint64_t count) {
    sum += static_cast<double>(layout_.median_of(slot)) * static_cast<double>(count);
  });
  return sum / static_cast<double>(count_);
}

double HdrHistogram::stddev() const {
  if (count_ == 0) return 0.0;
  const double centre = mean();
  double squares = 0.0;
  for_each_slot([&](std::size_t slot, std::int64_t, std::int64_t, std::uint64_t count) {
    const double distance = static_cast<double>(layout_.median_of(slot)) - centre;
    squares += distance * distance * static_cast<double>(count);
  });
  return std::sqrt(squares / static_cast<double>(count_));
}

}  // namespace exporters
