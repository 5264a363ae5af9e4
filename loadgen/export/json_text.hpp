// Writes one JSON object straight into a string: for files with a line per request, where a document tree would cost
// more than the request. Knows no field name.
#pragma once

#include <concepts>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace loadgen {

/// Appends `text` as a JSON string with its quotes. Control characters are escaped; bytes that are not UTF-8 become
/// U+FFFD.
void append_json_string(std::string& out, std::string_view text);

/// Shortest form that reads back as the same double; null where it is not finite.
void append_json_number(std::string& out, double value);
void append_json_number(std::string& out, std::int64_t value);
void append_json_number(std::string& out, std::uint64_t value);

/// One object, `{` to `}`; members in the order of the calls. Keys are ours and need no escaping.
class JsonObjectText {
 public:
  explicit JsonObjectText(std::string& out) : out_(out) { out_ += '{'; }

  JsonObjectText& text(std::string_view key, std::string_view value) {
    begin(key);
    append_json_string(out_, value);
    return *this;
  }
  template <std::integral T>
  JsonObjectText& number(std::string_view key, T value) {
    begin(key);
    append_json_number(out_, static_cast<std::conditional_t<std::is_signed_v<T>, std::int64_t, std::uint64_t>>(value));
    return *this;
  }
  JsonObjectText& number(std::string_view key, double value) {
    begin(key);
    append_json_number(out_, value);
    return *this;
  }
  JsonObjectText& boolean(std::string_view key, bool value) {
    begin(key);
    out_ += value ? "true" : "false";
    return *this;
  }
  JsonObjectText& null(std::string_view key) {
    begin(key);
    out_ += "null";
    return *this;
  }
  /// The value is another object, written by `fill(JsonObjectText&)`.
  template <class Fill>
  JsonObjectText& object(std::string_view key, Fill fill) {
    begin(key);
    JsonObjectText inner(out_);
    fill(inner);
    inner.end();
    return *this;
  }
  void end() { out_ += '}'; }

 private:
  void begin(std::string_view key) {
    if (out_.back() != '{') out_ += ',';
    out_ += '"';
    out_ += key;
    out_ += "\":";
  }

  std::string& out_;
};

}  // namespace loadgen
