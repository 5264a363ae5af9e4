// The JSON of a tokenizer.json: vocabulary and merges go into flat lists while they are read, the small rest into a
// tree. Knows limits and shapes, not what the members mean.
#pragma once

#include <nlohmann/json.hpp>
#include <string_view>

#include "tokenizer/file/tokenizer_file.hpp"
#include "tokenizer/result.hpp"

namespace tokenizer {

struct JsonDocument {
  nlohmann::json rest;  ///< everything but model.vocab and model.merges
  StringStore strings;
  std::vector<VocabularyEntry> vocabulary;
  std::vector<Merge> merges;
  bool has_vocabulary = false;  ///< model.vocab is an object
  bool has_merges = false;      ///< model.merges is a list
};

/// At most 256 MiB, 32 levels deep, a million values beside vocabulary and merges. No member may stand twice.
Result<JsonDocument> read_json_document(std::string_view json);

}  // namespace tokenizer
