// How sure a tail percentile is: MLPerf's early-stopping statistic (mlcommons/inference, loadgen/early_stopping.cc).
// Pure arithmetic; knows no metric and no gate.
#pragma once

#include <cstdint>
#include <optional>

#include "exporters/metrics/distribution.hpp"

namespace loadgen {

inline constexpr double tail_confidence = 0.99;

/// Probability of seeing at most `over` values above a bound among `total` if the true share above it were 1 -
/// quantile: the regularised incomplete beta function I_quantile(total - over, over + 1). Small means the share is
/// surely smaller. Needs over < total and quantile in (0, 1).
double chance_of_so_few_over(double quantile, std::uint64_t total, std::uint64_t over);

/// True when `over` of `total` values above a bound prove, at 99 % confidence, that the quantile is at or below it.
bool proves_quantile(double quantile, std::uint64_t total, std::uint64_t over);

/// The most values that may lie above a bound for `total` of them to prove the quantile; nothing when even none is too
/// many.
std::optional<std::uint64_t> most_allowed_over(double quantile, std::uint64_t total);

/// 99 % upper confidence bound of a quantile in milliseconds, counting censored values as larger than all others.
/// Nothing with too few values (p99: 662), or when the bound lies among the censored ones.
std::optional<double> upper_bound_ms(const exporters::Distribution& values, double quantile);

}  // namespace loadgen
