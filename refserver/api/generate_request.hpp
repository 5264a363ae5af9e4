// What a client asked for, whichever route it came by, before anything was checked against a model's limits.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "refserver/chat/message.hpp"

namespace refserver {

/// The routes that take a body. `invocations` is settled while reading: it becomes compat, chat or completions.
enum class Route : std::uint8_t {
  compat,
  generate,
  generate_stream,
  chat,
  completions,
  gateway,
  invocations,
  vertex,
  tokenize,
  chat_tokenize
};

/// The path, as written in the truth log and in metrics.
constexpr std::string_view label(Route route) {
  switch (route) {
    case Route::compat:
      return "/";
    case Route::generate:
      return "/generate";
    case Route::generate_stream:
      return "/generate_stream";
    case Route::chat:
      return "/v1/chat/completions";
    case Route::completions:
      return "/v1/completions";
    case Route::gateway:
      return "/v1/generate";
    case Route::invocations:
      return "/invocations";
    case Route::vertex:
      return "/vertex";
    case Route::tokenize:
      return "/tokenize";
    case Route::chat_tokenize:
      return "/chat_tokenize";
  }
  return "unknown";
}

/// Whether bodies and answers have our additions or are TGI's alone (docs/tgi-differences.md).
enum class Dialect : std::uint8_t { extended, strict_tgi };

/// TGI's parameters (TGI 3.3.7); empty means the client did not say.
struct GenerateParameters {
  std::optional<std::uint64_t> best_of;
  std::optional<float> temperature;
  std::optional<float> repetition_penalty;
  std::optional<float> frequency_penalty;
  std::optional<std::int32_t> top_k;
  std::optional<float> top_p;
  std::optional<float> typical_p;
  bool do_sample = false;
  std::optional<std::uint32_t> max_new_tokens;
  std::optional<bool> return_full_text;
  std::vector<std::string> stop;
  std::optional<std::uint64_t> truncate;
  bool watermark = false;
  bool details = false;
  bool decoder_input_details = false;
  std::optional<std::uint64_t> seed;
  std::optional<std::uint32_t> top_n_tokens;
  bool has_grammar = false;
  bool ignore_eos = false;                  ///< ours: the end-of-sequence token does not end the answer
  std::optional<std::uint32_t> min_tokens;  ///< ours: no end-of-sequence token before that many
};

/// What a chat body says about tools.
struct ToolUse {
  enum class Choice : std::uint8_t { automatic, none, required, named };
  bool is_given = false;      ///< `tools` was an array, even an empty one
  std::string definitions{};  ///< that array, as the client wrote it
  std::vector<std::string> names{};
  Choice choice = Choice::automatic;
  std::string chosen{};  ///< for Choice::named
  std::string prompt{};  ///< empty: TGI's own words
};

struct GenerateRequest {
  Route route = Route::generate;
  std::string model;                       ///< as the client wrote it; empty if it did not
  std::size_t model_index = 0;             ///< of the configured models; set by Validator::prepare
  std::string inputs;                      ///< the raw prompt; empty where `messages` hold it
  std::vector<std::string> prompts;        ///< completions: every prompt of the body, at least one
  std::vector<Message> messages;           ///< chat routes
  std::vector<GenerateRequest> instances;  ///< vertex
  std::string scenario;                    ///< gateway; empty means the raw prompt
  GenerateParameters parameters;
  ToolUse tools;
  bool stream = false;
  bool include_usage = false;       ///< OpenAI stream_options
  bool logprobs = false;            ///< chat
  bool has_images = false;          ///< chat: content that is not text
  bool has_suffix = false;          ///< completions
  bool adds_special_tokens = true;  ///< false where the text comes from a chat template
};

}  // namespace refserver
