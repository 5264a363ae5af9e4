// What lies where in the answers of each route: the shapes by which a FieldReader follows the few paths we care about
// and skips everything else without copying it. Written for the hot path: it runs once for every token of every stream.
#include "loadgen/drive/answer_fields.hpp"

#include <cstring>
#include <nlohmann/json.hpp>

#include "loadgen/drive/field_reader.hpp"

namespace loadgen {
namespace {

using Node = AnswerNode;

/// Equality with a word whose length the compiler knows: one or two comparisons of registers and no call.
template <std::size_t size>
bool is(std::string_view key, const char (&word)[size]) noexcept {
  return key.size() == size - 1 && std::memcmp(key.data(), word, size - 1) == 0;
}

/// The node that `key` leads to from `parent`.
Node child(Node parent, std::string_view key) noexcept {
  switch (parent) {
    case Node::root:
      if (is(key, "token")) return Node::token;
      if (is(key, "index")) return Node::index;
      if (is(key, "generated_text")) return Node::generated_text;
      if (is(key, "details")) return Node::details;
      if (is(key, "choices")) return Node::choices;
      if (is(key, "usage")) return Node::usage;
      if (is(key, "tokens")) return Node::generated_tokens;
      if (is(key, "error")) return Node::error;
      if (is(key, "error_type")) return Node::error_type;
      if (is(key, "model")) return Node::model;
      break;
    case Node::token:
      if (is(key, "text")) return Node::token_text;
      break;
    case Node::details:
      if (is(key, "finish_reason")) return Node::finish_reason;
      if (is(key, "generated_tokens")) return Node::generated_tokens;
      if (is(key, "input_length")) return Node::prompt_tokens;
      break;
    case Node::usage:
      if (is(key, "completion_tokens")) return Node::generated_tokens;
      if (is(key, "prompt_tokens")) return Node::prompt_tokens;
      break;
    case Node::choice:
      if (is(key, "delta") || is(key, "message")) return Node::delta;
      if (is(key, "text")) return Node::text;
      if (is(key, "finish_reason")) return Node::finish_reason;
      break;
    case Node::delta:
      if (is(key, "content")) return Node::text;
      if (is(key, "reasoning_content") || is(key, "reasoning")) return Node::reasoning;
      if (is(key, "tool_calls")) return Node::tool_calls;
      break;
    case Node::tool_calls:
      return is(key, "index") || is(key, "type") ? Node::other : Node::tool_calls;
    case Node::error:
      if (is(key, "message")) return Node::error_message;
      if (is(key, "type")) return Node::error_type;
      break;
    default:
      break;
  }
  return Node::other;
}

/// The shapes of the routes: a place is what it means.
struct KnownShapes {
  using Place = Node;
  static constexpr bool has_end = false;
  static constexpr Place root() noexcept { return Node::root; }
  static Node meaning(Place place) noexcept { return place; }
  static Place key(Place parent, std::string_view name) noexcept { return child(parent, name); }
  /// Of the choices only the first is read; tool calls are looked through whole; other lists hold nothing of ours.
  static Place item(Place parent, std::size_t index) noexcept {
    if (parent == Node::tool_calls) return parent;
    return parent == Node::choices && index == 0 ? Node::choice : Node::other;
  }
};

/// The shape an endpoint's template describes.
struct TemplateShape {
  using Place = FieldPaths::Node;
  static constexpr bool has_end = true;
  static constexpr Place root() noexcept { return FieldPaths::root; }
  Node meaning(Place place) const noexcept {
    constexpr Node nodes[] = {Node::other, Node::text,       Node::reasoning,     Node::finish_reason,
                              Node::error, Node::error_type, Node::prompt_tokens, Node::generated_tokens,
                              Node::model, Node::end};
    return nodes[static_cast<std::size_t>(paths.field(place))];
  }
  Place key(Place parent, std::string_view name) const noexcept { return paths.child(parent, name); }
  Place item(Place parent, std::size_t index) const noexcept { return paths.item(parent, index); }
  std::string_view end_value() const noexcept { return end; }

  const FieldPaths& paths;
  std::string_view end;
};

}  // namespace

/// Error texts and finish reasons are rare and short: the library decodes them.
std::string unescaped(std::string_view raw) {
  if (raw.find('\\') == std::string_view::npos) return std::string(raw);
  const auto value = nlohmann::json::parse("\"" + std::string(raw) + "\"", nullptr, false);
  return value.is_string() ? value.get<std::string>() : std::string(raw);
}

void AnswerFields::clear() {
  has_token = has_generated_text = has_choices = has_text = has_reasoning = has_call = has_error = false;
  generated_text_empty = true;
  choices = 0;
  index.reset();
  generated_tokens.reset();
  prompt_tokens.reset();
  finish_reason.clear();
  error.clear();
  error_type.clear();
  text = generated_text = model = {};
  ends = false;
}

bool read_answer_fields(std::string_view json, AnswerFields& fields) {
  fields.clear();
  return FieldReader<KnownShapes>(json, {}, fields).read();
}

bool read_answer_fields(std::string_view json, const FieldPaths& paths, std::string_view end_value,
                        AnswerFields& fields) {
  fields.clear();
  return FieldReader<TemplateShape>(json, {paths, end_value}, fields).read();
}

}  // namespace loadgen
