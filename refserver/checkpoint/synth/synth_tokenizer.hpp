// The tokenizer files of a made-up folder: small ones compiled in, or those of another folder.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "refserver/checkpoint/checkpoint_error.hpp"
#include "refserver/checkpoint/synth/synth_options.hpp"

namespace refserver {

struct SynthTokenizer {
  std::string tokenizer;         ///< tokenizer.json
  std::string tokenizer_config;  ///< tokenizer_config.json, without a chat template
  std::string chat_template;
  std::size_t id_count = 0;  ///< one more than the largest id

  /// The id of an added token.
  std::optional<std::uint32_t> id_of(std::string_view added_token) const;
};

CheckpointResult<SynthTokenizer> load_synth_tokenizer(const SynthOptions& options, Architecture architecture);

namespace embedded {
extern const std::string_view qwen2_tokenizer;
extern const std::string_view qwen2_tokenizer_config;
extern const std::string_view llama3_tokenizer;
extern const std::string_view llama3_tokenizer_config;
}  // namespace embedded

}  // namespace refserver
