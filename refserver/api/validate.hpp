// Requests to valid requests: the only door to the engine. Pure and thread-safe; knows limits and templates, no clock
// and no socket.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "refserver/api/generate_request.hpp"
#include "refserver/api/model_info.hpp"
#include "refserver/api/valid_request.hpp"
#include "refserver/error.hpp"
#include "refserver/result.hpp"

namespace refserver {

/// Limits that do not depend on the model, with TGI's defaults.
struct RequestLimits {
  std::uint32_t max_stop_sequences = 4;
  std::uint32_t max_best_of = 2;
  std::uint32_t max_top_n_tokens = 5;
  std::uint32_t max_client_batch_size = 4;
  Dialect dialect = Dialect::extended;
};

/// TGI reserves and checks at most this many new tokens; in the strict dialect longer answers go on segment by segment.
inline constexpr std::uint32_t kSegmentTokens = 1024;

class Validator {
 public:
  /// `models` has at least one entry and outlives the validator.
  Validator(std::span<const ModelInfo> models, RequestLimits limits) : models_(models), limits_(limits) {}

  /// The generations a body asks for, each with its model, its prompt in `inputs` and nothing left to render: several
  /// for completions with several prompts and for vertex. What fails here is a plain HTTP error also where a stream was
  /// asked for: unknown models and scenarios of the gateway, templates, tools, a suffix, too many prompts.
  /// `only_model` is the one model of a port that serves no other.
  Result<std::vector<GenerateRequest>, Error> prepare(GenerateRequest request,
                                                      std::optional<std::size_t> only_model = std::nullopt) const;

  /// What is refused before a permit is taken, on streams as an event.
  std::optional<Error> refuse_before_permit(const GenerateRequest& request) const;

  /// TGI's checks in TGI's order (TGI 3.3.7); the first failure wins. `request` comes from `prepare`. `fallback_seed`
  /// is used when the request samples and names no seed.
  Result<ValidatedRequest, Error> validate(const GenerateRequest& request, std::uint64_t fallback_seed) const;

  const RequestLimits& limits() const { return limits_; }

 private:
  bool is_strict() const { return limits_.dialect == Dialect::strict_tgi; }
  std::size_t choose_model(const GenerateRequest& request) const;
  std::optional<Error> refuse_body(const GenerateRequest& request) const;
  std::optional<Error> render(GenerateRequest& request) const;
  std::optional<Error> check_parameters(const GenerateParameters& p) const;
  std::optional<Error> check_prompt(const GenerateRequest& request, ValidatedRequest& valid) const;
  std::optional<Error> count_new_tokens(const ModelInfo& model, const GenerateParameters& p,
                                        ValidatedRequest& valid) const;
  AnswerShape make_shape(const GenerateRequest& request, const ValidRequest& valid) const;

  std::span<const ModelInfo> models_;
  RequestLimits limits_;
};

/// Unicode scalars of valid UTF-8.
std::uint64_t count_characters(std::string_view utf8);

}  // namespace refserver
