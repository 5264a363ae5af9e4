// The fields of an answer that matter, pulled out of one JSON text of any route's shape (TGI, OpenAI, gateway) in one
// pass, without building a document.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "loadgen/plan/field_paths.hpp"

namespace loadgen {

/// What one JSON text (an SSE event's data, or a whole body) said. Absent fields were absent or null.
struct AnswerFields {
  // TGI: index, token{...}, generated_text, details{...}. Gateway: generated_text, tokens.
  bool has_token = false;
  std::optional<std::uint32_t> index;
  bool has_generated_text = false;
  bool generated_text_empty = true;
  // OpenAI: choices[0].delta / .text / .message
  bool has_choices = false;   ///< the key is there
  std::uint32_t choices = 0;  ///< its length
  bool has_text = false;      ///< choice 0 brings visible text
  bool has_reasoning = false;
  bool has_call = false;  ///< a tool call with any non-empty field
  // Counts
  std::optional<std::uint32_t>
      generated_tokens;                        ///< details.generated_tokens, usage.completion_tokens, gateway `tokens`
  std::optional<std::uint32_t> prompt_tokens;  ///< details.input_length, usage.prompt_tokens
  std::string finish_reason;                   ///< empty: none
  // Where they are needed: as written, escapes and all, and valid as long as the JSON text. No data: not there.
  std::string_view text;            ///< token.text, choice 0's text or content, an endpoint's text
  std::string_view generated_text;  ///< TGI, gateway: the whole text
  std::string_view model;
  bool ends = false;  ///< an endpoint's end of the stream
  // Errors: {"error": "...", "error_type": "..."} or {"error": {"message": ..., "type": ...}}
  bool has_error = false;
  std::string error;
  std::string error_type;

  /// Ready for the next text; keeps the strings' memory.
  void clear();
};

/// Fills `fields` from `json`. False if it is not one valid JSON object.
bool read_answer_fields(std::string_view json, AnswerFields& fields);

/// The same where an endpoint's template says what lies where: text, reason, error, counts, model, `ends` (when the
/// value at Field::end is `end_value`, JSON text; if that is empty, when it is there and not null).
bool read_answer_fields(std::string_view json, const FieldPaths& paths, std::string_view end_value,
                        AnswerFields& fields);

/// A JSON string without its quotes, as plain text; broken UTF-8 stays as it is.
std::string unescaped(std::string_view raw);

}  // namespace loadgen
