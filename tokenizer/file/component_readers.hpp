// Readers of the two members of a tokenizer.json that are built of nested parts.
#pragma once

#include <vector>

#include "tokenizer/file/json_node.hpp"
#include "tokenizer/file/tokenizer_file.hpp"

namespace tokenizer {

/// "pre_tokenizer": ByteLevel, or a Sequence of Splits by known patterns that ends with it.
PreTokenizerSettings read_pre_tokenizer(const JsonNode& node);

/// "post_processor": null, ByteLevel, TemplateProcessing or a Sequence of them.
std::vector<PostStep> read_post_processor(const JsonNode& node);

}  // namespace tokenizer
