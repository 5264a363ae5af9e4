// A reader that follows the few paths we care about and skips everything else without copying it. Written for the hot
// path: it runs once for every token of every stream.
#include "loadgen/drive/answer_fields.hpp"

#ifdef __SSE2__
#include <emmintrin.h>
#endif

#include <bit>
#include <cctype>
#include <charconv>
#include <cstring>
#include <nlohmann/json.hpp>

namespace loadgen {
namespace {

/// Where in the answer the parser is. `other` is any place we do not read.
enum class Node : std::uint8_t {
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

/// The first quote, backslash or control character from `at` on, or `end`. Looks at many bytes at a time: most of an
/// answer is text nobody asks for, and a key fits into sixteen.
const char* find_special(const char* at, const char* end) noexcept {
#ifdef __SSE2__
  for (; end - at >= 16; at += 16) {
    __m128i bytes;
    std::memcpy(&bytes, at, sizeof bytes);
    const __m128i control = _mm_cmpeq_epi8(_mm_min_epu8(bytes, _mm_set1_epi8(0x1f)), bytes);
    const __m128i quote = _mm_cmpeq_epi8(bytes, _mm_set1_epi8('"'));
    const __m128i backslash = _mm_cmpeq_epi8(bytes, _mm_set1_epi8('\\'));
    const int found = _mm_movemask_epi8(_mm_or_si128(control, _mm_or_si128(quote, backslash)));
    if (found != 0) return at + std::countr_zero(static_cast<unsigned>(found));
  }
#endif
  constexpr std::uint64_t ones = 0x0101010101010101U;
  constexpr std::uint64_t tops = 0x8080808080808080U;
  if constexpr (std::endian::native == std::endian::little) {
    for (; end - at >= 8; at += 8) {
      std::uint64_t word = 0;
      std::memcpy(&word, at, sizeof word);
      // Classic byte tricks: the lowest byte they mark is always right, and only that one is used.
      const std::uint64_t quote = word ^ (ones * '"');
      const std::uint64_t backslash = word ^ (ones * '\\');
      const std::uint64_t found =
          (((quote - ones) & ~quote) | ((backslash - ones) & ~backslash) | ((word - ones * 0x20) & ~word)) & tops;
      if (found != 0) return at + std::countr_zero(found) / 8;
    }
  }
  while (at != end && *at != '"' && *at != '\\' && static_cast<unsigned char>(*at) >= 0x20) ++at;
  return at;
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

/// Reads one JSON text (RFC 8259) front to back. Strings that nobody asks for are skipped, not copied; their UTF-8 is
/// not judged.
template <class Shape>
class FieldReader {
 public:
  FieldReader(std::string_view json, const Shape& shape, AnswerFields& fields)
      : at_(json.data()), end_(json.data() + json.size()), shape_(shape), fields_(fields) {}

  bool read() {
    skip_space();
    if (at_ == end_ || *at_ != '{' || !read_object(shape_.root())) return false;
    skip_space();
    return at_ == end_;
  }

 private:
  using Place = typename Shape::Place;
  static constexpr unsigned depth_limit = 64;  // deeper than any real answer

  void skip_space() noexcept {
    if (at_ != end_ && *at_ > ' ') return;  // nearly always
    while (at_ != end_ && (*at_ == ' ' || *at_ == '\n' || *at_ == '\r' || *at_ == '\t')) ++at_;
  }
  bool take(char c) noexcept {
    skip_space();
    if (at_ == end_ || *at_ != c) return false;
    ++at_;
    return true;
  }

  bool read_value(Place place) {
    skip_space();
    if (at_ == end_) return false;
    if constexpr (Shape::has_end) {
      const char* const begin = at_;
      if (!read_any(place)) return false;
      if (shape_.meaning(place) == Node::end) note_end({begin, static_cast<std::size_t>(at_ - begin)});
      return true;
    } else {
      return read_any(place);
    }
  }

  bool read_any(Place place) {
    switch (*at_) {
      case '{':
        return read_object(place);
      case '[':
        return read_array(place);
      case '"':
        return read_text(shape_.meaning(place));
      case 'n':
        return read_word("null");
      case 't':
        return read_word("true") && note_scalar(shape_.meaning(place));
      case 'f':
        return read_word("false") && note_scalar(shape_.meaning(place));
      default:
        return read_number(shape_.meaning(place));
    }
  }

  void note_end(std::string_view value) noexcept {
    fields_.ends = shape_.end_value().empty() ? value != "null" : value == shape_.end_value();
  }

  bool read_object(Place place) {
    if (++depth_ > depth_limit) return false;
    const Node node = shape_.meaning(place);
    if (node == Node::token) fields_.has_token = true;
    if (node == Node::error) fields_.has_error = true;
    ++at_;
    if (take('}')) return --depth_, true;
    do {
      skip_space();
      std::string_view key;
      if (!read_string(key)) return false;
      const bool escaped = key.find('\\') != std::string_view::npos;
      const Place next = escaped ? shape_.key(place, unescaped(key)) : shape_.key(place, key);
      if (!take(':') || !read_value(next)) return false;
    } while (take(','));
    --depth_;
    return take('}');
  }

  bool read_array(Place place) {
    if (++depth_ > depth_limit) return false;
    const bool is_choices = shape_.meaning(place) == Node::choices;
    if (is_choices) fields_.has_choices = true;
    ++at_;
    if (take(']')) return --depth_, true;
    std::size_t index = 0;
    do {
      if (is_choices) ++fields_.choices;
      if (!read_value(shape_.item(place, index++))) return false;
    } while (take(','));
    --depth_;
    return take(']');
  }

  /// The raw text between the quotes, escapes checked and left in.
  bool read_string(std::string_view& raw) noexcept {
    if (at_ == end_ || *at_ != '"') return false;
    const char* const begin = ++at_;
    for (at_ = find_special(at_, end_); at_ != end_ && *at_ != '"'; at_ = find_special(at_ + 1, end_)) {
      if (*at_ != '\\' || !skip_escape()) return false;
    }
    if (at_ == end_) return false;
    raw = {begin, static_cast<std::size_t>(at_ - begin)};
    ++at_;
    return true;
  }
  /// At a backslash; stops on the last character of the escape.
  bool skip_escape() noexcept {
    if (++at_ == end_) return false;
    if (std::string_view("\"\\/bfnrt").find(*at_) != std::string_view::npos) return true;
    if (*at_ != 'u' || end_ - at_ < 5) return false;
    for (int i = 0; i < 4; ++i) {
      if (std::isxdigit(static_cast<unsigned char>(*++at_)) == 0) return false;
    }
    return true;
  }

  bool read_text(Node node) {
    std::string_view raw;
    if (!read_string(raw)) return false;
    note_scalar(node);
    switch (node) {
      case Node::generated_text:
        fields_.has_generated_text = true;
        fields_.generated_text_empty = raw.empty();
        fields_.generated_text = raw;
        break;
      case Node::finish_reason:
        fields_.finish_reason = unescaped(raw);
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
      case Node::error_message:
        fields_.error = unescaped(raw);
        break;
      case Node::error_type:
        fields_.error_type = unescaped(raw);
        break;
      default:
        break;
    }
    return true;
  }

  bool read_word(std::string_view word) noexcept {
    if (std::string_view(at_, static_cast<std::size_t>(end_ - at_)).substr(0, word.size()) != word) return false;
    at_ += word.size();
    return true;
  }

  bool read_digits() noexcept {
    const char* const begin = at_;
    while (at_ != end_ && *at_ >= '0' && *at_ <= '9') ++at_;
    return at_ != begin;
  }
  bool read_number(Node node) noexcept {
    const char* const begin = at_;
    if (*at_ == '-') ++at_;
    const bool leading_zero = at_ != end_ && *at_ == '0';
    const char* const digits = at_;
    if (!read_digits() || (leading_zero && at_ - digits > 1)) return false;
    if (node != Node::other) note_count(node, {begin, static_cast<std::size_t>(at_ - begin)});
    if (at_ != end_ && *at_ == '.' && (++at_, !read_digits())) return false;
    if (at_ != end_ && (*at_ == 'e' || *at_ == 'E')) {
      ++at_;
      if (at_ != end_ && (*at_ == '+' || *at_ == '-')) ++at_;
      if (!read_digits()) return false;
    }
    return note_scalar(node);
  }

  void note_count(Node node, std::string_view digits) noexcept {
    std::uint32_t count = 0;
    const auto [stop, ec] = std::from_chars(digits.data(), digits.data() + digits.size(), count);
    if (stop != digits.data() + digits.size() || ec != std::errc()) return;
    if (node == Node::index) fields_.index = count;
    if (node == Node::generated_tokens) fields_.generated_tokens = count;
    if (node == Node::prompt_tokens) fields_.prompt_tokens = count;
  }

  bool note_scalar(Node node) noexcept {
    if (node == Node::error) fields_.has_error = true;
    return true;
  }

  const char* at_;
  const char* end_;
  const Shape& shape_;
  AnswerFields& fields_;
  unsigned depth_ = 0;
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
