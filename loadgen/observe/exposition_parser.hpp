// Reads a page in Prometheus' text format (0.0.4, and what OpenMetrics adds to its lines). A page is hostile input: it
// is read whole or refused with the line that is wrong, in time proportional to its size.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "loadgen/result.hpp"

namespace loadgen {

/// One sample. Names are views into the page; label values are unescaped.
struct ExpositionSample {
  std::string_view name;
  std::vector<std::pair<std::string_view, std::string>> labels;
  double value = 0;  ///< may be NaN or infinite

  /// The value of a label; empty without it, as the format defines.
  std::string_view label(std::string_view name) const noexcept;
};

inline constexpr std::size_t max_exposition_samples = 200'000;
inline constexpr std::size_t max_exposition_labels = 64;  ///< of one sample

/// The samples of a page whose name begins with one of `prefixes` (all of them: an empty prefix), in its order; every
/// line is checked, whatever its name. `page` must outlive them. The error is "line N: what is wrong".
Result<std::vector<ExpositionSample>, std::string> parse_exposition(std::string_view page,
                                                                    const std::vector<std::string_view>& prefixes);

}  // namespace loadgen
