// Members in TGI's order.
#include "refserver/api/token_list.hpp"

#include <fmt/format.h>

#include "refserver/api/json_writer.hpp"
#include "tokenizer/text_units.hpp"

namespace refserver {

std::string make_token_list(const ModelInfo& /*model*/, const GenerateRequest& request) {
  const bool is_chat = request.route == Route::chat_tokenize;
  std::string out = is_chat ? R"({"tokenize_response":[)" : "[";
  std::size_t start = 0;
  for (const std::string_view unit : tokenizer::split_units(request.inputs)) {
    if (out.back() != '[') out += ',';
    out += fmt::format(R"({{"id":0,"text":)");
    append_json_string(unit, out);
    out += fmt::format(R"(,"start":{},"stop":{}}})", start, start + unit.size());
    start += unit.size();
  }
  out += ']';
  if (!is_chat) return out;
  out += R"(,"templated_text":)";
  append_json_string(request.inputs, out);
  return out += '}';
}

}  // namespace refserver
