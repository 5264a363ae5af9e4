// What a template computes with: Python's values as far as chat templates see them. Immutable but for namespaces and
// iterators; cheap to copy. All text is valid UTF-8 and counted in code points, as Python does.
#pragma once

#include <cstdint>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "refserver/chat/jinja/budget.hpp"

namespace refserver::jinja {

class Value;

/// Nothing was found: prints as "", is false, and fails with its own words when used otherwise.
struct Undefined {
  std::string hint;   ///< the whole message, or empty
  std::string owner;  ///< what has no such attribute, such as "dict object", or empty for a name
  std::string name;   ///< as Python shows it: quoted for text

  std::string message() const;
};

struct Text {
  std::string bytes;
  bool is_ascii = true;    ///< positions are bytes
  bool is_markup = false;  ///< came out of `safe` or `escape`: `+` escapes the other side
};

struct Sequence {
  std::vector<Value> items;
  bool is_tuple = false;
  int depth = 1;  ///< 1 + that of the deepest item
};

/// In order of insertion. Keys are hashable values; equal keys are one key.
struct Dict {
  std::vector<std::pair<Value, Value>> entries;
  std::vector<std::uint32_t> slots;  ///< open hash table of positions + 1; empty for small ones
  int depth = 1;

  /// The position of a key, or nothing. `key` must be hashable.
  std::optional<std::size_t> find(Budget& budget, const Value& key) const;
};

enum class ObjectKind : std::uint8_t { name_space, function, iterator, view, range, loop };

/// The values that are more than data.
class Object {
 public:
  virtual ~Object() = default;
  virtual ObjectKind object_kind() const = 0;
  /// Python's name of the type, for messages.
  virtual std::string_view type_name() const = 0;

  int depth = 0;  ///< of the values inside that it owns and that cannot change
};

/// In the order of Value's variant.
enum class Kind : std::uint8_t { missing, undefined, none, boolean, integer, real, text, sequence, dict, object };

class Value {
 public:
  /// A slot that nothing was put into yet; never seen by a template.
  Value() = default;
  explicit Value(bool value) : data_(value) {}
  explicit Value(std::int64_t value) : data_(value) {}
  explicit Value(double value) : data_(value) {}
  explicit Value(std::shared_ptr<const Sequence> value) : data_(std::move(value)) {}
  explicit Value(std::shared_ptr<const Dict> value) : data_(std::move(value)) {}
  explicit Value(std::shared_ptr<const Text> value) : data_(std::move(value)) {}
  explicit Value(std::shared_ptr<Object> value) : data_(std::move(value)) {}
  explicit Value(Undefined value) : data_(std::make_shared<const Undefined>(std::move(value))) {}
  static Value none();

  Kind kind() const { return static_cast<Kind>(data_.index()); }
  bool is(Kind wanted) const { return kind() == wanted; }
  bool is_object(ObjectKind wanted) const { return is(Kind::object) && object().object_kind() == wanted; }
  bool is_number() const { return is(Kind::boolean) || is(Kind::integer) || is(Kind::real); }

  // The value of that kind; the caller has looked.
  bool boolean() const { return std::get<bool>(data_); }
  std::int64_t integer() const { return is(Kind::boolean) ? std::int64_t{boolean()} : std::get<std::int64_t>(data_); }
  double real() const { return std::get<double>(data_); }
  const Text& text() const { return *std::get<std::shared_ptr<const Text>>(data_); }
  const std::string& bytes() const { return text().bytes; }
  const Sequence& sequence() const { return *std::get<std::shared_ptr<const Sequence>>(data_); }
  const Dict& dict() const { return *std::get<std::shared_ptr<const Dict>>(data_); }
  const std::shared_ptr<const Dict>& shared_dict() const { return std::get<std::shared_ptr<const Dict>>(data_); }
  Object& object() const { return *std::get<std::shared_ptr<Object>>(data_); }
  const std::shared_ptr<Object>& shared_object() const { return std::get<std::shared_ptr<Object>>(data_); }
  const Undefined& undefined() const { return *std::get<std::shared_ptr<const Undefined>>(data_); }

  /// The object as a T; the caller has looked at its kind.
  template <class T>
  T& as() const {
    return static_cast<T&>(object());
  }
  /// The same object twice, or equal numbers, truths and nones: Python's `is`.
  bool is_same(const Value& other) const;

 private:
  struct Missing {
    bool operator==(const Missing&) const { return true; }
  };
  struct None {
    bool operator==(const None&) const { return true; }
  };
  std::variant<Missing, std::shared_ptr<const Undefined>, None, bool, std::int64_t, double, std::shared_ptr<const Text>,
               std::shared_ptr<const Sequence>, std::shared_ptr<const Dict>, std::shared_ptr<Object>>
      data_;
};

enum class Markup : std::uint8_t { no, yes };

/// A text; the bytes are counted against the budget.
Value make_text(Budget& budget, std::string bytes, Markup markup = Markup::no);
/// A text that is part of the program or was counted before.
Value make_text_uncounted(std::string bytes, Markup markup = Markup::no);
Value make_list(Budget& budget, std::vector<Value> items);
Value make_tuple(Budget& budget, std::vector<Value> items);
/// The last of equal keys wins, at the place of the first. Fails on a key that is not hashable.
Value make_dict(Budget& budget, std::vector<std::pair<Value, Value>> entries);
Value undefined_name(std::string_view name);
Value undefined_hint(std::string hint);
Value undefined_member(const Value& owner, const Value& name);

/// Fails with the message of an undefined value; otherwise does nothing.
void require_defined(const Value& value);
/// Python's name of the type, such as "str" or "NoneType".
std::string_view type_name(const Value& value);
/// How deep values are nested in values: 0 for a number, 1 for a list of numbers. Namespaces count as 0.
int depth_of(const Value& value);
/// One more than that; fails past the limit. Whatever owns values is made with it, so that no chain grows without end.
int depth_around(Budget& budget, const Value& value);
/// The same around the deepest of several.
int depth_around(Budget& budget, int deepest);
/// Whether hash_of would succeed.
bool is_hashable(Budget& budget, const Value& value);
/// Equal values have equal hashes. Fails with Python's words on a list or dict.
std::uint64_t hash_of(Budget& budget, const Value& value);

/// JSON as the template sees it. Fails on text that is not UTF-8, integers beyond 64 bits and too deep nesting.
Value from_json(Budget& budget, const nlohmann::ordered_json& json);

}  // namespace refserver::jinja
