// A model folder with everything generation needs: weights, tokenizer, and the tokens that end a sequence.
#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "refserver/checkpoint/checkpoint.hpp"
#include "refserver/schedule/ids.hpp"
#include "refserver/transformer/token_vocabulary.hpp"
#include "tokenizer/tokenizer.hpp"

namespace refserver {

struct ModelFolder {
  std::string name;  ///< its path, for messages
  std::shared_ptr<const Checkpoint> checkpoint;
  std::shared_ptr<const tokenizer::Tokenizer> tokenizer;
  /// Of generation_config.json, config.json and tokenizer_config.json, each once.
  std::vector<TokenId> end_tokens;
  std::vector<std::string> warnings;  ///< what was ignored or assumed, one line each

  TokenVocabulary vocabulary() const { return {tokenizer, end_tokens}; }
};

/// Weights are mapped, not read. Refuses a tokenizer with ids the model has no embedding for. `tokenizer` is the
/// folder's where it has been read already, else empty.
CheckpointResult<ModelFolder> open_model_folder(const std::filesystem::path& folder,
                                                std::shared_ptr<const tokenizer::Tokenizer> tokenizer = nullptr);

}  // namespace refserver
