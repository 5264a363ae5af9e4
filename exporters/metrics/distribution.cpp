#include "exporters/metrics/distribution.hpp"

#include <algorithm>
#include <cassert>
#include <cmath>
#include <utility>

namespace exporters {
namespace {

constexpr double max_doubt = 0.01;  // 99 % confidence

/// Probability of at most one value above the bound among n, if the share above it were exactly 1 - q.
double chance_of_at_most_one(double q, double n) {
  return std::pow(q, n) + n * std::pow(q, n - 1) * (1 - q);
}

}  // namespace

std::uint64_t percentile_floor(double q) {
  assert(q >= 0.0 && q <= 1.0);
  if (q <= 0.5 || q == 1.0) return 1;
  const auto enough = [q](std::uint64_t n) { return chance_of_at_most_one(q, static_cast<double>(n)) < max_doubt; };
  constexpr std::uint64_t limit = std::uint64_t{1} << 50;
  std::uint64_t high = 2;
  while (high < limit && !enough(high)) high *= 2;
  std::uint64_t low = high / 2;  // not enough; high is
  while (high - low > 1) {
    const std::uint64_t middle = low + (high - low) / 2;
    (enough(middle) ? high : low) = middle;
  }
  return high;
}

Distribution::Distribution(HdrHistogram histogram, const Moments& moments, std::uint64_t censored,
                           std::int64_t censored_above_ns)
    : histogram_(std::move(histogram)),
      moments_(moments),
      censored_(censored),
      censored_above_ns_(censored == 0 ? 0 : censored_above_ns) {
  assert(histogram_.count() == moments_.count);
}

void Distribution::record_censored(std::int64_t limit_ns) {
  censored_above_ns_ = censored_ == 0 ? limit_ns : std::min(censored_above_ns_, limit_ns);
  ++censored_;
}

void Distribution::add(const Distribution& other) {
  histogram_.add(other.histogram_);
  moments_.add(other.moments_);
  if (other.censored_ == 0) return;
  censored_above_ns_ =
      censored_ == 0 ? other.censored_above_ns_ : std::min(censored_above_ns_, other.censored_above_ns_);
  censored_ += other.censored_;
}

void Distribution::reset() noexcept {
  histogram_.reset();
  moments_ = {};
  censored_ = 0;
  censored_above_ns_ = 0;
}

std::optional<double> Distribution::censored_above_ms() const noexcept {
  if (censored_ == 0) return std::nullopt;
  return static_cast<double>(censored_above_ns_) * 1e-6;
}

std::optional<double> Distribution::percentile_ms(double q) const {
  assert(q >= 0.0 && q <= 1.0);
  if (count() == 0) return std::nullopt;
  if (q == 0.0) return min_ms();
  const std::uint64_t rank = HdrHistogram::rank_at_quantile(q, count() + censored_);
  if (rank > count()) return std::nullopt;
  return to_ms(histogram_.value_at_rank(rank));
}

std::optional<double> Distribution::reportable_percentile_ms(double q) const {
  if (count() + censored_ < percentile_floor(q)) return std::nullopt;
  return percentile_ms(q);
}

}  // namespace exporters
