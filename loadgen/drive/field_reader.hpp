// Reads the fields of one JSON text in one pass, by a shape that says what lies where. Internal to drive.
#pragma once

#include <cstddef>
#include <string_view>

#include "loadgen/drive/answer_fields.hpp"
#include "loadgen/drive/json_scan.hpp"

namespace loadgen {

/// Where in the answer the parser is. `other` is any place we do not read.
enum class AnswerNode : std::uint8_t {
  other,
  root,
  index,
  token,
  generated_text,
  details,
  usage,
  choices,
  choice,
  delta,
  tool_calls,
  error,
  error_type,
  error_message,
  error_code,
  generated_tokens,
  prompt_tokens,
  finish_reason,
  text,
  token_text,
  reasoning,
  model,
  end
};

/// Reads one JSON text (RFC 8259) front to back. Strings that nobody asks for are skipped, not copied; their UTF-8 is
/// not judged. A `Shape` leads from place to place (`root`, `key`, `item`) and says what a place means (`meaning`);
/// with `has_end` it has a value that ends a stream.
template <class Shape>
class FieldReader {
 public:
  FieldReader(std::string_view json, const Shape& shape, AnswerFields& fields)
      : begin_(json.data()), end_(json.data() + json.size()), shape_(shape), fields_(fields) {}

  /// False if it is not one valid JSON object.
  bool read() {
    const char* at = skip_space(begin_);
    if (at == end_ || *at != '{') return false;
    at = read_object(at, shape_.root(), 1);
    return at != nullptr && skip_space(at) == end_;
  }

 private:
  using Place = typename Shape::Place;
  using Node = AnswerNode;
  static constexpr unsigned depth_limit = 64;  // deeper than any real answer

  // Each of these is told where it stands and gives back the place behind what it read, or null if that is no JSON.
  // A place kept in the object instead would go to memory and back with every byte.

  const char* skip_space(const char* at) const noexcept { return json_scan::skip_space(at, end_); }

  const char* read_value(const char* at, Place place, unsigned depth) {
    if (at == end_) return nullptr;
    const char* const behind = read_any(at, place, depth);
    if constexpr (Shape::has_end) {
      if (behind != nullptr && shape_.meaning(place) == Node::end)
        note_end({at, static_cast<std::size_t>(behind - at)});
    }
    return behind;
  }

  const char* read_any(const char* at, Place place, unsigned depth) {
    switch (*at) {
      case '{':
        return read_object(at, place, depth + 1);
      case '[':
        return read_array(at, place, depth + 1);
      case '"':
        return read_text(at, shape_.meaning(place));
      case 'n':
        return json_scan::read_word(at, end_, "null");
      case 't':
        return read_flag(json_scan::read_word(at, end_, "true"), shape_.meaning(place));
      case 'f':
        return read_flag(json_scan::read_word(at, end_, "false"), shape_.meaning(place));
      default:
        return read_number(at, shape_.meaning(place));
    }
  }

  void note_end(std::string_view value) noexcept {
    fields_.ends = shape_.end_value().empty() ? value != "null" : value == shape_.end_value();
  }

  const char* read_object(const char* at, Place place, unsigned depth) {
    if (depth > depth_limit) return nullptr;
    const Node node = shape_.meaning(place);
    if (node == Node::token) fields_.has_token = true;
    if (node == Node::error) fields_.has_error = true;
    at = skip_space(at + 1);
    if (at != end_ && *at == '}') return at + 1;
    while (true) {
      json_scan::Text key;
      at = json_scan::read_string(at, end_, key);
      if (at == nullptr) return nullptr;
      const Place next = key.has_escapes ? shape_.key(place, unescaped(key.raw)) : shape_.key(place, key.raw);
      at = skip_space(at);
      if (at == end_ || *at != ':') return nullptr;
      at = read_value(skip_space(at + 1), next, depth);
      if (at == nullptr || (at = skip_space(at)) == end_) return nullptr;
      if (*at == '}') return at + 1;
      if (*at != ',') return nullptr;
      at = skip_space(at + 1);
    }
  }

  const char* read_array(const char* at, Place place, unsigned depth) {
    if (depth > depth_limit) return nullptr;
    const bool is_choices = shape_.meaning(place) == Node::choices;
    if (is_choices) fields_.has_choices = true;
    at = skip_space(at + 1);
    if (at != end_ && *at == ']') return at + 1;
    for (std::size_t index = 0;; ++index) {
      if (is_choices) ++fields_.choices;
      at = read_value(at, shape_.item(place, index), depth);
      if (at == nullptr || (at = skip_space(at)) == end_) return nullptr;
      if (*at == ']') return at + 1;
      if (*at != ',') return nullptr;
      at = skip_space(at + 1);
    }
  }

  const char* read_text(const char* at, Node node) {
    json_scan::Text text;
    at = json_scan::read_string(at, end_, text);
    if (at != nullptr && node != Node::other) note_text(node, text);
    return at;
  }

  const char* read_flag(const char* behind, Node node) noexcept {
    if (behind != nullptr && node == Node::error) fields_.has_error = true;
    return behind;
  }

  const char* read_number(const char* at, Node node) noexcept {
    json_scan::Count count;
    at = json_scan::read_number(at, end_, count);
    if (at == nullptr || node == Node::other) return at;
    if (node == Node::error) fields_.has_error = true;
    if (!count.fits) return at;
    if (node == Node::index) fields_.index = count.value;
    if (node == Node::generated_tokens) fields_.generated_tokens = count.value;
    if (node == Node::prompt_tokens) fields_.prompt_tokens = count.value;
    return at;
  }

  static void put_unescaped(const json_scan::Text& text, std::string& into) {
    if (text.has_escapes) {
      into = unescaped(text.raw);
    } else {
      into.assign(text.raw);
    }
  }

  void note_text(Node node, const json_scan::Text& text) {
    const std::string_view raw = text.raw;
    switch (node) {
      case Node::generated_text:
        fields_.has_generated_text = true;
        fields_.generated_text_empty = raw.empty();
        fields_.generated_text = raw;
        break;
      case Node::finish_reason:
        put_unescaped(text, fields_.finish_reason);
        break;
      case Node::text:
        fields_.has_text = fields_.has_text || !raw.empty();
        fields_.text = raw;
        break;
      case Node::token_text:
        fields_.text = raw;
        break;
      case Node::model:
        fields_.model = raw;
        break;
      case Node::reasoning:
        fields_.has_reasoning = fields_.has_reasoning || !raw.empty();
        break;
      case Node::tool_calls:
        fields_.has_call = fields_.has_call || !raw.empty();
        break;
      case Node::error:
        fields_.has_error = true;
        [[fallthrough]];
      case Node::error_message:
        put_unescaped(text, fields_.error);
        break;
      case Node::error_type:
        put_unescaped(text, fields_.error_type);
        break;
      default:
        break;
    }
  }

  const char* begin_;
  const char* end_;
  const Shape& shape_;
  AnswerFields& fields_;
};

}  // namespace loadgen
