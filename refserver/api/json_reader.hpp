// A pull reader of one JSON value that says what TGI's says when a body is wrong: same words, same line and column.
// Knows JSON and positions; knows no request. Texts are those of serde_json behind TGI 3.3.7.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "refserver/error.hpp"

namespace refserver {

/// Reads front to back. The first error sticks: from then on every read returns an empty value at once and every
/// loop ends, so callers read straight through and look at `failed()` once. Bytes after the value are not looked at.
class JsonReader {
 public:
  explicit JsonReader(std::string_view text) : text_(text) {}

  bool failed() const { return failed_; }
  /// The body-layer error, ready for the client. Only after `failed()`.
  const Error& error() const { return error_; }

  /// Starts an object; `expected` names the type in the error, such as "struct GenerateRequest".
  bool begin_object(std::string_view expected);
  /// Starts an object that may also come as an array of its members in the order of `fields`: then next_key gives each
  /// name in turn. `required` is how many of the first fields such an array must hold.
  bool begin_struct(std::string_view name, std::span<const std::string_view> fields, std::size_t required);
  /// Moves to the next member and leaves its name in `key()`; false at the end of the object or on an error.
  bool next_key();
  std::string_view key() const { return key_; }

  /// Starts an array; `next_element` moves to each element and is false at the end or on an error.
  bool begin_array();
  bool next_element();

  std::string read_string();
  bool read_bool();
  float read_f32();
  std::uint32_t read_u32() { return static_cast<std::uint32_t>(read_unsigned("u32", UINT32_MAX)); }
  std::uint64_t read_u64() { return read_unsigned("u64", UINT64_MAX); }
  std::uint64_t read_usize() { return read_unsigned("usize", UINT64_MAX); }
  std::int32_t read_i32();
  /// Consumes a null if one is next. For optional fields.
  bool try_null();
  /// The first character of the next value, without consuming it; 0 at the end.
  char peek();
  /// Consumes any value, checking its syntax.
  void skip_value();
  /// The same; gives the value's own text.
  std::string_view read_raw();

  /// Reports a well-formed value of the wrong shape (422) at the current position.
  void fail_shape(std::string_view reason);
  /// The same for errors the reference only places after it looked for the end of the enclosing object or array.
  void fail_after(std::string_view reason);
  /// The same for errors the reference gives no place at all.
  void fail_unplaced(std::string_view reason);
  /// The same, for a member named twice or left out.
  void fail_duplicate(std::string_view name);
  void fail_missing(std::string_view name) { fail_shape("missing field `" + std::string(name) + "`"); }

 private:
  struct Level {
    bool is_object = false;
    bool has_members = false;
    bool in_member = false;  ///< a member is being read: its name or index is part of the path
    std::size_t index = 0;
    std::string key;
    std::string_view name;                       ///< of a struct that came as an array
    std::span<const std::string_view> fields{};  ///< its members; empty otherwise
    std::size_t required = 0;
  };
  struct Number {
    enum class Kind : std::uint8_t { positive, negative, floating } kind = Kind::positive;
    std::uint64_t positive = 0;
    std::int64_t negative = 0;
    double floating = 0;
  };

  bool at_end() const { return at_ >= text_.size(); }
  void skip_space();
  bool enter(bool is_object);
  bool next_member(char close, std::string_view eof, std::string_view expected_comma);
  bool next_positional();
  bool read_ident(std::string_view rest);
  bool read_raw_string(std::string& out);
  bool read_escape(std::string& out);
  bool read_hex4(std::uint32_t& out);
  bool read_number(Number& out);
  bool skip_digits();
  std::uint64_t read_unsigned(std::string_view expected, std::uint64_t largest);
  void fail_type(std::string_view expected);
  void fail_number(const Number& number, bool is_value, std::string_view expected);
  void fail_syntax_here(std::string_view reason) { fail(ErrorType::body_malformed, reason, at_); }
  void fail_syntax_next(std::string_view reason);
  void fail(ErrorType type, std::string_view reason, std::size_t position);
  std::string path() const;

  std::string_view text_;
  std::size_t at_ = 0;
  bool failed_ = false;
  bool colon_pending_ = false;  ///< a member's name was read, its colon not yet
  Error error_;
  std::string key_;
  std::vector<Level> levels_;
};

}  // namespace refserver
