// Takes typed values out of one mapping of a document. Whatever is not as it should be becomes an error with its line
// and field and nothing is returned, so that one pass finds everything that is wrong.
#pragma once

#include <chrono>
#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "loadgen/plan/document.hpp"

namespace loadgen {

struct NumberRange {
  double min = 0;
  double max = 0;
  enum class Min : std::uint8_t { included, excluded } lower = Min::included;
};
struct IntegerRange {
  std::int64_t min = 0;
  std::int64_t max = 0;
};
struct DurationRange {
  std::chrono::nanoseconds min{};
  std::chrono::nanoseconds max{};
};
struct TextRange {
  std::size_t max_bytes = 0;
  /// free: any characters; line: no control characters; name: letters, digits, '.', '_' and '-' only.
  enum class Kind : std::uint8_t { free, line, name } kind = Kind::line;
};

class ObjectReader {
 public:
  /// The value at `pointer` must be a mapping with no other keys than `keys`. Everything else reads as absent.
  ObjectReader(const Document& document, std::string pointer, ScenarioErrors& errors,
               std::initializer_list<std::string_view> keys);

  /// The value as it stands; nullptr when the key is absent or null (which is an error: a key without a value).
  const Json* find(std::string_view key) const;
  bool has(std::string_view key) const;
  bool is_mapping() const noexcept { return object_ != nullptr; }
  std::string pointer(std::string_view key) const { return step(pointer_, key); }
  void fail(std::string_view key, std::string message) const;
  /// The same about `inner` within the mapping at `key`; blamed on what wrote that.
  void fail_in(std::string_view key, std::string_view inner, std::string message) const;

  // Absent keys and wrong values give nothing; wrong values are errors as well.
  std::optional<std::string> text(std::string_view key, TextRange range) const;
  std::optional<double> number(std::string_view key, NumberRange range) const;
  std::optional<std::int64_t> integer(std::string_view key, IntegerRange range) const;
  std::optional<bool> boolean(std::string_view key) const;
  std::optional<std::chrono::nanoseconds> duration(std::string_view key, DurationRange range) const;
  /// A list of 1 to `max_items` texts.
  std::optional<std::vector<std::string>> texts(std::string_view key, std::size_t max_items, TextRange range) const;
  /// One of `words`; the position in it.
  std::optional<std::size_t> word(std::string_view key, std::initializer_list<std::string_view> words) const;

 private:
  void refuse_unknown(std::initializer_list<std::string_view> keys) const;
  std::optional<std::string> checked_text(const Json& value, const std::string& pointer, TextRange range) const;

  const Document& document_;
  std::string pointer_;
  ScenarioErrors& errors_;
  const Json* object_ = nullptr;  ///< null when it is no mapping
};

/// A value as an error message shows it: short, with its kind when that is what is wrong.
std::string shown(const Json& value);

}  // namespace loadgen
