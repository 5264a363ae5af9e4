#include "loadgen/summarize/tail_bound.hpp"

#include <boost/math/special_functions/beta.hpp>
#include <cassert>

namespace loadgen {

double chance_of_so_few_over(double quantile, std::uint64_t total, std::uint64_t over) {
  assert(over < total && quantile > 0.0 && quantile < 1.0);
  return boost::math::ibeta(static_cast<double>(total - over), static_cast<double>(over) + 1.0, quantile);
}

bool proves_quantile(double quantile, std::uint64_t total, std::uint64_t over) {
  return over < total && chance_of_so_few_over(quantile, total, over) < 1.0 - tail_confidence;
}

std::optional<std::uint64_t> most_allowed_over(double quantile, std::uint64_t total) {
  if (!proves_quantile(quantile, total, 0)) return std::nullopt;
  std::uint64_t allowed = 0;
  std::uint64_t too_many = total;
  while (too_many - allowed > 1) {
    const std::uint64_t middle = allowed + (too_many - allowed) / 2;
    (proves_quantile(quantile, total, middle) ? allowed : too_many) = middle;
  }
  return allowed;
}

std::optional<double> upper_bound_ms(const exporters::Distribution& values, double quantile) {
  const std::uint64_t total = values.count() + values.censored();
  const auto over = most_allowed_over(quantile, total);
  if (!over || *over == 0) return std::nullopt;
  const std::uint64_t rank = total - *over + 1;
  if (rank > values.count()) return std::nullopt;
  return static_cast<double>(values.histogram().value_at_rank(rank)) / 1000.0;
}

}  // namespace loadgen
