// Requests to valid requests: the only door to the engine. Pure; knows limits and templates, no clock and no socket.
#pragma once

#include <cstdint>
#include <optional>
#include <span>

#include "refserver/api/generate_request.hpp"
#include "refserver/api/model_info.hpp"
#include "refserver/api/valid_request.hpp"
#include "refserver/error.hpp"
#include "refserver/result.hpp"

namespace refserver {

/// Limits that do not depend on the model.
struct RequestLimits {
  std::uint32_t max_stop_sequences = 4;
  std::uint32_t max_best_of = 1;       ///< more than one copy is not supported
  std::uint32_t max_top_n_tokens = 0;  ///< alternatives are not supported
  std::uint32_t max_client_batch_size = 4;
};

class Validator {
 public:
  /// `models` has at least one entry and outlives the validator.
  Validator(std::span<const ModelInfo> models, RequestLimits limits) : models_(models), limits_(limits) {}

  /// What is refused before a permit is taken, also on streams as a plain HTTP error: an unknown model or scenario
  /// on the gateway, tools, a suffix, too many prompts. Returns nothing if all is well.
  std::optional<Error> refuse_early(const GenerateRequest& request) const;

  /// TGI's checks in TGI's order (TGI 3.3.7); the first failure wins. `fallback_seed` is used when the
  /// request samples and names no seed.
  Result<ValidatedRequest, Error> validate(GenerateRequest request, std::uint64_t fallback_seed) const;

  const RequestLimits& limits() const { return limits_; }

 private:
  std::size_t choose_model(const GenerateRequest& request) const;
  std::optional<Error> check_parameters(const GenerateParameters& p) const;
  std::optional<Error> check_prompt(const ModelInfo& model, const GenerateParameters& p, ValidRequest& valid) const;
  AnswerShape make_shape(const GenerateRequest& request, const ValidRequest& valid) const;

  std::span<const ModelInfo> models_;
  RequestLimits limits_;
};

}  // namespace refserver
