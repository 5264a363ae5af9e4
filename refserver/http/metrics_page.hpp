// The /metrics page byte for byte as TGI 3.3.7 writes it. Pure.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "exporters/metrics/sample.hpp"

namespace refserver {

/// Only families named tgi_..., each once it has a sample: a type line, the samples, an empty line. No help texts, no
/// exponents. `steps` is how many times tgi_request_skipped_tokens was told 0.
std::string render_as_tgi(const std::vector<exporters::MetricFamily>& families, std::uint64_t steps);

/// tgi_request_skipped_tokens, a summary of `steps` zeroes; empty for 0 steps.
std::string skipped_tokens_summary(std::uint64_t steps);

}  // namespace refserver
