// A server that none of the routes describes, as data: what is sent to it and where in its answers everything is found.
// Pure values; read from YAML by endpoint_fields, obeyed by drive.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "loadgen/plan/field_paths.hpp"
#include "loadgen/plan/scenario.hpp"

namespace loadgen {

/// How the parts of a streamed answer are told apart.
enum class Framing : std::uint8_t {
  none,    ///< not streamed
  sse,     ///< server-sent events
  ndjson,  ///< one JSON text a line
};

struct EndpointTemplate {
  std::string name;
  std::string method = "POST";
  std::string path;  ///< below the target's base path; may hold {model}
  Headers headers;
  /// JSON text whose strings hold {prompt} (exactly once), {model}, {max_tokens}, {seed}, {stream}, ...
  std::string body;
  std::string prompt_text = "{prompt}";  ///< the string of the body that holds it

  Framing framing = Framing::none;
  bool can_choose = false;  ///< the body has {stream}: the server answers either way
  FieldPaths paths;
  bool text_grows = false;      ///< each event repeats the text so far
  bool one_token_each = false;  ///< each event with text is one token
  std::string end_data;         ///< an event that is exactly this ends the stream; empty: none does
  std::string end_value;        ///< JSON text at Field::end that ends it; empty: any but null

  /// What the server gets in place of `prompt`; other placeholders beside it stay as they are.
  std::string around(const std::string& prompt) const {
    constexpr std::string_view mark = "{prompt}";
    std::string text = prompt_text;
    return text.replace(text.find(mark), mark.size(), prompt);
  }
};

/// The words that may stand in braces in a body.
const std::vector<std::string>& placeholder_names();

}  // namespace loadgen
