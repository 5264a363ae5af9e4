// Erlang 1909 and Crommelin 1932, in units of one service time.
#include "refserver/simulate/queueing.hpp"

#include <algorithm>
#include <cassert>
#include <cmath>

namespace refserver {
namespace {

constexpr double kSeriesEnd = 20;

long double erlang_series(long double rho, long double t) {
  long double sum = 0;
  for (int k = 0; static_cast<long double>(k) <= t; ++k) {
    const long double x = rho * (static_cast<long double>(k) - t);
    long double term = std::exp(-x);
    for (int i = 1; i <= k; ++i) term *= x / static_cast<long double>(i);
    sum += term;
  }
  return (1 - rho) * sum;
}

/// The decay rate of the wait's tail: the positive root of rho (e^x - 1) = x.
double tail_rate(double rho) {
  double low = 0;
  double high = 1;
  const auto excess = [rho](double x) { return rho * std::expm1(x) - x; };
  while (excess(high) < 0) high *= 2;
  low = std::min(-std::log(rho), high);  // the excess has its minimum there
  for (int i = 0; i < 100; ++i) {
    const double middle = (low + high) / 2;
    (excess(middle) < 0 ? low : high) = middle;
  }
  return low;
}

bool is_stable(const SingleServer& queue) {
  return queue.utilisation() > 0 && queue.utilisation() < 1;
}

}  // namespace

double mm1_mean_wait(const SingleServer& queue) {
  assert(is_stable(queue));
  return queue.utilisation() * queue.service / (1 - queue.utilisation());
}

double mm1_wait_quantile(const SingleServer& queue, double p) {
  assert(is_stable(queue));
  const double rho = queue.utilisation();
  if (p <= 1 - rho + 1e-12) return 0;  // nobody waits in that share of cases
  return std::log(rho / (1 - p)) * queue.service / (1 - rho);
}

double md1_mean_wait(const SingleServer& queue) {
  return mm1_mean_wait(queue) / 2;
}

double md1_wait_cdf(const SingleServer& queue, double t) {
  assert(is_stable(queue));
  const double rho = queue.utilisation();
  const double units = t / queue.service;
  if (units < 0) return 0;
  if (units <= kSeriesEnd) return static_cast<double>(erlang_series(rho, units));
  const double rate = tail_rate(rho);
  return 1 - (1 - rho) / (rho * std::exp(rate) - 1) * std::exp(-rate * units);
}

double md1_wait_quantile(const SingleServer& queue, double p) {
  if (p <= 1 - queue.utilisation() + 1e-12) return 0;  // nobody waits in that share of cases
  double low = 0;
  double high = queue.service;
  while (md1_wait_cdf(queue, high) < p) high *= 2;
  for (int i = 0; i < 100; ++i) {
    const double middle = (low + high) / 2;
    (md1_wait_cdf(queue, middle) < p ? low : high) = middle;
  }
  return (low + high) / 2;
}

}  // namespace refserver
