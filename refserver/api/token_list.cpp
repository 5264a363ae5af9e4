// Members in TGI's order.
#include "refserver/api/token_list.hpp"

#include <fmt/format.h>

#include "refserver/api/json_writer.hpp"

namespace refserver {

std::string make_token_list(const ModelInfo& model, const GenerateRequest& request) {
  const bool is_chat = request.route == Route::chat_tokenize;
  const std::string_view text = request.inputs;
  std::string out = is_chat ? R"({"tokenize_response":[)" : "[";
  for (const tokenizer::TokenSpan& token :
       model.tokenizer->encode_spans(text, encode_options(request.adds_special_tokens))) {
    if (out.back() != '[') out += ',';
    fmt::format_to(std::back_inserter(out), R"({{"id":{},"text":)", token.id);
    // A token may stand for a part of a character only.
    append_json_string(replace_invalid_utf8(text.substr(token.start, token.stop - token.start)), out);
    fmt::format_to(std::back_inserter(out), R"(,"start":{},"stop":{}}})", token.start, token.stop);
  }
  out += ']';
  if (!is_chat) return out;
  out += R"(,"templated_text":)";
  append_json_string(text, out);
  return out += '}';
}

}  // namespace refserver
