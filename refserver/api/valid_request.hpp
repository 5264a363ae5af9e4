// A request that passed every check, split into what the engine needs and what shaping the answer needs.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "refserver/api/generate_request.hpp"

namespace refserver {

/// How the next token is chosen. Defaults are TGI's; a greedy request has no seed.
struct Sampling {
  bool is_greedy = true;
  float temperature = 1.0F;
  float repetition_penalty = 1.0F;
  float frequency_penalty = 0.0F;
  std::uint32_t top_k = 0;  ///< 0: off
  float top_p = 1.0F;       ///< 1: off
  float typical_p = 1.0F;   ///< 1: off
  std::optional<std::uint64_t> seed;
};

struct ValidatedRequest;

/// The engine's half. Only `validate` makes one, so an engine never checks anything again.
class ValidRequest {
 public:
  std::size_t model = 0;                  ///< index into the configured models
  std::string prompt;                     ///< after templates and truncation
  std::vector<std::uint32_t> prompt_ids;  ///< the prompt's tokens; empty while no tokenizer is wired
  std::uint32_t prompt_tokens = 0;        ///< at least 1
  std::uint32_t max_new_tokens = 1;       ///< at least 1; prompt and answer fit the model
  std::uint32_t min_new_tokens = 0;       ///< no end-of-sequence token before that many
  bool ignore_eos = false;                ///< only the length or a stop sequence ends the answer
  std::uint32_t top_n_tokens = 0;         ///< alternatives wanted per token
  bool reads_prefix_cache = true;         ///< false where the client asked for the prompt's own tokens
  std::vector<std::string> stop;
  Sampling sampling;

 private:
  ValidRequest() = default;
  friend struct ValidatedRequest;
};

/// The HTTP side's half: everything that decides how the answer looks.
struct AnswerShape {
  Route route = Route::generate;
  bool is_stream = false;
  Dialect dialect = Dialect::extended;
  bool has_details = false;
  bool has_top_tokens = false;  ///< alternatives were asked for
  bool includes_usage = false;
  bool has_logprobs = false;
  std::string reported_model;  ///< the `model` member of OpenAI and gateway answers
  std::uint32_t choice = 0;    ///< `index` in completions answers
  std::string full_text;       ///< put before `generated_text`; empty unless asked for
  std::optional<std::uint64_t> seed;
  std::uint32_t prompt_tokens = 0;
  std::uint64_t prompt_characters = 0;  ///< Unicode scalars
};

struct ValidatedRequest {
  ValidRequest request;
  AnswerShape shape;
  /// Tokens the client asked for altogether. More than `request.max_new_tokens` only where the answer is to go on in
  /// further segments (strict dialect).
  std::uint32_t total_new_tokens = 1;

 private:
  ValidatedRequest() = default;
  friend class Validator;
};

}  // namespace refserver
