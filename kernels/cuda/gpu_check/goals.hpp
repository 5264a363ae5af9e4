// What is asked of the kernels in numbers, and whether measurements fulfil it. Knows no device.
#pragma once

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace kernels::gpu_check {

/// Of the device's own copy, that a product of one row reaches.
inline constexpr double kLeastBandwidthShare = 0.8;
/// Times one row, that sixteen rows may cost.
inline constexpr double kMostOfSixteenRows = 1.3;
/// Of the library's rate with plain bfloat16 weights, that a product of a prompt reaches.
inline constexpr double kLeastPromptShare = 0.5;
/// A matrix from which on bandwidth is asked for: smaller ones are read before a kernel has well begun.
inline constexpr double kLargeBytes = 25e6;

/// Whether one goal holds; nothing where it was not measured.
struct Verdict {
  std::string goal;
  std::optional<bool> holds;
  std::string why;
};

/// Collects measurements; of several ways to do the same, the fastest counts.
class Goals {
 public:
  /// Bytes per second, read and written.
  void copied(double bytes_per_second) { copy_ = bytes_per_second; }
  void multiplied(const std::string& matrix, double bytes, std::size_t rows, double seconds) {
    if (bytes < kLargeBytes || (rows != 1 && rows != 16)) return;
    Product& product = products_[matrix];
    product.bytes = bytes;
    keep_least(rows == 1 ? product.one : product.sixteen, seconds);
  }
  void multiplied_prompt(const std::string& shape, double seconds) { keep_least(prompts_[shape].ours, seconds); }
  void multiplied_by_library(const std::string& shape, double seconds) { keep_least(prompts_[shape].library, seconds); }

  std::vector<Verdict> verdicts() const {
    std::vector<Verdict> all;
    Judge one{"large matrices reach 80 % of the copy bandwidth at one row", true};
    Judge sixteen{"sixteen rows cost at most 1.3 times one row of large matrices", false};
    Judge prompt{"products of prompts reach 50 % of cuBLAS with bfloat16", true};
    for (const auto& [name, product] : products_) {
      if (product.one && copy_) one.add(name, product.bytes / *product.one / *copy_, kLeastBandwidthShare);
      if (product.one && product.sixteen) sixteen.add(name, *product.sixteen / *product.one, kMostOfSixteenRows);
    }
    for (const auto& [name, both] : prompts_) {
      if (both.ours && both.library) prompt.add(name, *both.library / *both.ours, kLeastPromptShare);
    }
    for (const Judge& judge : {one, sixteen, prompt}) all.push_back(judge.verdict());
    return all;
  }

 private:
  struct Product {
    double bytes = 0;
    std::optional<double> one, sixteen;  ///< seconds
  };
  struct Prompt {
    std::optional<double> ours, library;  ///< seconds
  };
  /// Every ratio of a goal on its side of a limit.
  struct Judge {
    std::string goal;
    bool at_least;
    std::vector<std::string> seen{};
    std::size_t missed = 0;

    void add(const std::string& name, double ratio, double limit) {
      const bool holds = at_least ? ratio >= limit : ratio <= limit;
      if (!holds) ++missed;
      seen.push_back(fmt::format("{} {:.2f}{}", name, ratio, holds ? "" : " (missed)"));
    }
    Verdict verdict() const {
      if (seen.empty()) return {goal, std::nullopt, "not measured"};
      return {goal, missed == 0, fmt::format("{}", fmt::join(seen, ", "))};
    }
  };
  static void keep_least(std::optional<double>& kept, double value) { kept = std::min(kept.value_or(value), value); }

  std::optional<double> copy_;
  std::map<std::string, Product> products_;
  std::map<std::string, Prompt> prompts_;
};

}  // namespace kernels::gpu_check
