// What a client asked for, whichever route it came by, before anything was checked against a model's limits.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "refserver/chat/message.hpp"

namespace refserver {

/// The routes that generate text.
enum class Route : std::uint8_t { compat, generate, generate_stream, chat, completions, gateway };

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
  }
  return "unknown";
}

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
};

struct GenerateRequest {
  Route route = Route::generate;
  std::string model;              ///< as the client wrote it; empty if it did not
  std::string inputs;             ///< the raw prompt; empty where `messages` hold it
  std::vector<Message> messages;  ///< chat route
  std::string scenario;           ///< gateway; empty means the raw prompt
  GenerateParameters parameters;
  bool stream = false;
  bool include_usage = false;  ///< OpenAI stream_options
  bool logprobs = false;       ///< chat
  bool has_tools = false;      ///< chat: tools that would be used
  bool has_images = false;     ///< chat: content that is not text
  bool has_suffix = false;     ///< completions
  std::size_t prompts = 1;     ///< completions: how many prompts the body held
};

}  // namespace refserver
