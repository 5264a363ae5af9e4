// The quantile functions and means, one line each where the textbook has one.
#include "refserver/engine/distribution.hpp"

#include <algorithm>
#include <boost/math/special_functions/erf.hpp>
#include <boost/math/special_functions/gamma.hpp>
#include <cassert>
#include <cmath>
#include <numbers>
#include <numeric>

namespace refserver {
namespace {

double normal_quantile(double p) {
  return -std::numbers::sqrt2 * boost::math::erfc_inv(2 * p);
}

double quantile(const ConstantTime& t, double /*p*/) {
  return t.value;
}
double quantile(const UniformTime& t, double p) {
  return t.low + p * (t.high - t.low);
}
double quantile(const ExponentialTime& t, double p) {
  return -t.mean * std::log1p(-p);
}
double quantile(const NormalTime& t, double p) {
  return std::max(0.0, t.mean + t.deviation * normal_quantile(p));
}
double quantile(const LognormalTime& t, double p) {
  return t.median * std::exp(t.sigma * normal_quantile(p));
}
double quantile(const GammaTime& t, double p) {
  return boost::math::gamma_p_inv(t.shape, p) * t.mean / t.shape;
}
double quantile(const ParetoTime& t, double p) {
  return std::min(t.cap, t.least * std::exp(-std::log1p(-p) / t.alpha));
}
double quantile(const BimodalTime& t, double p) {
  return p <= 1 - t.high_share ? t.low : t.high;
}
double quantile(const EmpiricalTime& t, double p) {
  const auto rank = static_cast<std::size_t>(std::ceil(p * static_cast<double>(t.values.size())));
  return t.values[std::clamp<std::size_t>(rank, 1, t.values.size()) - 1];
}

double mean(const ConstantTime& t) {
  return t.value;
}
double mean(const UniformTime& t) {
  return (t.low + t.high) / 2;
}
double mean(const ExponentialTime& t) {
  return t.mean;
}
double mean(const NormalTime& t) {
  if (!(t.deviation > 0)) return t.mean;
  const double z = t.mean / t.deviation;  // what lies below 0 counts as 0
  const double density = std::exp(-z * z / 2) / std::sqrt(2 * std::numbers::pi);
  return t.mean * std::erfc(-z / std::numbers::sqrt2) / 2 + t.deviation * density;
}
double mean(const LognormalTime& t) {
  return t.median * std::exp(t.sigma * t.sigma / 2);
}
double mean(const GammaTime& t) {
  return t.mean;
}
double mean(const ParetoTime& t) {
  // The integral of P(X > x) up to the cap.
  const double ratio = std::log(t.cap / t.least);
  const double k = t.alpha - 1;
  return t.least + t.least * (std::abs(k) < 1e-9 ? ratio : -std::expm1(-k * ratio) / k);
}
double mean(const BimodalTime& t) {
  return t.low + t.high_share * (t.high - t.low);
}
double mean(const EmpiricalTime& t) {
  return std::accumulate(t.values.begin(), t.values.end(), 0.0) / static_cast<double>(t.values.size());
}

}  // namespace

double Distribution::quantile_ns(double p) const {
  assert(p > 0 && p < 1);
  return offset_ns_ + std::visit([p](const auto& shape) { return quantile(shape, p); }, shape_);
}

double Distribution::mean_ns() const {
  return offset_ns_ + std::visit([](const auto& shape) { return mean(shape); }, shape_);
}

std::chrono::nanoseconds Distribution::draw(double u) const {
  // Compared as doubles: a quantile may be beyond what an integer holds.
  const double ns = std::min(quantile_ns(u), static_cast<double>(kLongest.count()));
  return std::chrono::nanoseconds(std::llround(ns));
}

}  // namespace refserver
