// Few: a sorted list that the vectorised scan seldom has to touch. Many, or NaN about: a partial sort.
#include "kernels/cpu/top_k.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <vector>

namespace kernels {
namespace {

constexpr std::size_t kFew = 128;

void sort_top_k(std::span<const float> x, std::span<std::int32_t> ids) {
  std::vector<std::int32_t> order(x.size());
  std::iota(order.begin(), order.end(), 0);
  const auto before = [&](std::int32_t a, std::int32_t b) {
    const float left = x[static_cast<std::size_t>(a)];
    const float right = x[static_cast<std::size_t>(b)];
    if (std::isnan(left) != std::isnan(right)) return std::isnan(right);
    return left > right || (!(right > left) && a < b);
  };
  std::ranges::partial_sort(order, order.begin() + static_cast<std::ptrdiff_t>(ids.size()), before);
  std::copy_n(order.begin(), ids.size(), ids.begin());
}

/// False, with nothing decided, if a NaN is among the first.
bool scan_top_k(const KernelTable& kernels, std::span<const float> x, std::span<std::int32_t> ids) {
  const std::size_t k = ids.size();
  if (std::ranges::any_of(x.first(k), [](float value) { return std::isnan(value); })) return false;
  sort_top_k(x.first(k), ids);
  const auto value = [&](std::int32_t id) { return x[static_cast<std::size_t>(id)]; };
  for (std::size_t i = k; i < x.size(); ++i) {
    // Strictly greater: an equal one further right comes after all those in the list.
    i = kernels.find_greater(x.data(), i, x.size(), value(ids[k - 1]));
    if (i == x.size()) break;
    std::size_t place = k - 1;
    for (; place > 0 && value(ids[place - 1]) < x[i]; --place) ids[place] = ids[place - 1];
    ids[place] = static_cast<std::int32_t>(i);
  }
  return true;
}

}  // namespace

void find_top_k(const KernelTable& kernels, std::span<const float> x, std::span<float> values,
                std::span<std::int32_t> ids) {
  if (ids.size() > kFew || !scan_top_k(kernels, x, ids)) sort_top_k(x, ids);
  for (std::size_t i = 0; i < ids.size(); ++i) values[i] = x[static_cast<std::size_t>(ids[i])];
}

}  // namespace kernels
