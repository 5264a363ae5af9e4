#include "refserver/tokenize/converter.hpp"

#include <fmt/format.h>

#include <iterator>
#include <limits>
#include <nlohmann/json.hpp>
#include <utility>
#include <vector>

namespace refserver::tokenize {
namespace {

using Json = nlohmann::ordered_json;
using Line = Result<std::string, Problem>;
using tokenizer::TokenId;

constexpr const char* kWantsText = R"(expected a JSON string, or an object with a "prompt" or "inputs" that is one)";

/// What nlohmann's parser says, without its own tag.
Problem parse_problem(const Json::exception& e) {
  const std::string_view text = e.what();
  const std::size_t end = text.find("] ");
  return {"not JSON: " + std::string(end == text.npos ? text : text.substr(end + 2))};
}

Result<Json, Problem> parse(std::string_view line) {
  try {
    return {boost::system::in_place_value, Json::parse(line)};
  } catch (const Json::exception& e) {
    return parse_problem(e);
  }
}

/// JSON of a value that holds no others; a text of a decoder or a template is valid UTF-8, or written as such.
std::string json_text(const Json& value) {
  return value.dump(-1, ' ', false, Json::error_handler_t::replace);
}

Line fail(std::string text) {
  return Problem{std::move(text)};
}

/// Problem could be made of a string too, so a result has to be told which it is.
Line print(std::string text) {
  return {boost::system::in_place_value, std::move(text)};
}

Line text_of(std::string_view line) {
  const Result<Json, Problem> value = parse(line);
  if (!value) return value.error();
  const Json* text = &*value;
  if (value->is_object()) {
    const bool has_prompt = value->contains("prompt");
    if (has_prompt == value->contains("inputs")) return fail(kWantsText);
    text = &(*value)[has_prompt ? "prompt" : "inputs"];
  }
  return text->is_string() ? print(text->get<std::string>()) : fail(kWantsText);
}

}  // namespace

Converter::Converter(Conversion conversion, std::shared_ptr<const tokenizer::Tokenizer> tokenizer,
                     std::shared_ptr<const ChatTemplate> chat_template)
    : conversion_(conversion), tokenizer_(std::move(tokenizer)), chat_template_(std::move(chat_template)) {}

Line Converter::convert(std::string_view line) const {
  if (conversion_.task == Task::decode) return convert_ids(line);
  if (conversion_.task == Task::chat || conversion_.task == Task::chat_count) return convert_messages(line);
  if (conversion_.form == InputForm::text) return convert_text(line);
  const Line text = text_of(line);
  return text ? convert_text(*text) : text;
}

Line Converter::convert_text(std::string_view text) const {
  if (conversion_.task == Task::count) return print(std::to_string(tokenizer_->count(text, conversion_.encode)));
  std::string out = "[";
  const auto comma = [&out] { return out.size() > 1 ? "," : ""; };
  if (conversion_.task == Task::spans) {
    for (const tokenizer::TokenSpan& span : tokenizer_->encode_spans(text, conversion_.encode)) {
      fmt::format_to(std::back_inserter(out), "{}[{},{},{}]", comma(), span.id, span.start, span.stop);
    }
  } else {
    for (const TokenId id : tokenizer_->encode(text, conversion_.encode)) {
      fmt::format_to(std::back_inserter(out), "{}{}", comma(), id);
    }
  }
  return print(out + "]");
}

Line Converter::convert_ids(std::string_view line) const {
  const Result<Json, Problem> value = parse(line);
  if (!value) return value.error();
  if (!value->is_array()) return fail("expected a list of ids");
  std::vector<TokenId> ids;
  for (const Json& id : *value) {
    if (!id.is_number_unsigned() || id.get<std::uint64_t>() > std::numeric_limits<TokenId>::max()) {
      // The library writes lists by recursion, however deep they are.
      return fail(fmt::format("{} is not an id", id.is_structured() ? "a list or an object" : json_text(id)));
    }
    ids.push_back(id.get<TokenId>());
  }
  return print(json_text(tokenizer_->decode(ids, conversion_.decode)));
}

Line Converter::convert_messages(std::string_view line) const {
  Result<Json, Problem> value = parse(line);
  if (!value) return value.error();
  Json messages;
  Json tools;
  Json variables = Json::object();
  bool add_generation_prompt = true;
  if (value->is_array()) {
    messages = std::move(*value);
  } else if (value->is_object() && value->contains("messages")) {
    for (auto& [name, member] : value->items()) {
      if (name == "messages")
        messages = std::move(member);
      else if (name == "tools")
        tools = std::move(member);
      else if (name != "add_generation_prompt")
        variables[name] = std::move(member);
      else if (member.is_boolean())
        add_generation_prompt = member.get<bool>();
      else
        return fail("\"add_generation_prompt\" is neither true nor false");
    }
  }
  if (!messages.is_array()) return fail("expected a list of messages, or an object with \"messages\"");
  if (!tools.is_null() && !tools.is_array()) return fail("\"tools\" is not a list");
  const auto prompt =
      chat_template_->render({messages, tools.is_null() ? nullptr : &tools, add_generation_prompt, &variables});
  if (!prompt) return fail(prompt.error().text);
  if (conversion_.task == Task::chat) return print(json_text(*prompt));
  return print(std::to_string(tokenizer_->count(*prompt, conversion_.encode)));
}

}  // namespace refserver::tokenize
