// Making values, naming their types, hashing them.
#include "refserver/chat/jinja/value.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <functional>
#include <limits>

#include "refserver/chat/jinja/failure.hpp"
#include "refserver/chat/jinja/operators.hpp"
#include "refserver/chat/jinja/print.hpp"
#include "refserver/chat/jinja/text.hpp"

namespace refserver::jinja {
namespace {

constexpr std::size_t kIndexedFrom = 12;  ///< entries; below it a scan is faster than a table

Value make_sequence(Budget& budget, std::vector<Value> items, bool is_tuple) {
  budget.grow(sizeof(Value), items.size());
  auto sequence = std::make_shared<Sequence>();
  int deepest = 0;
  for (const Value& item : items) deepest = std::max(deepest, depth_of(item));
  sequence->depth = depth_around(budget, deepest);
  sequence->items = std::move(items);
  sequence->is_tuple = is_tuple;
  return Value(std::shared_ptr<const Sequence>(std::move(sequence)));
}

std::uint64_t mix(std::uint64_t hash) {
  hash = (hash ^ (hash >> 30U)) * 0xbf58476d1ce4e5b9U;
  hash = (hash ^ (hash >> 27U)) * 0x94d049bb133111ebU;
  return hash ^ (hash >> 31U);
}

std::uint64_t hash_of_real(double value) {
  // An integral float is the same key as the integer.
  if (value >= -0x1p63 && value < 0x1p63 && value == std::floor(value)) {
    return mix(static_cast<std::uint64_t>(static_cast<std::int64_t>(value)));
  }
  return mix(std::bit_cast<std::uint64_t>(value));
}

/// Gives the table at most half its places to entries.
void build_index(Budget& budget, Dict& dict) {
  if (dict.entries.size() < kIndexedFrom) return;
  dict.slots.assign(std::bit_ceil(dict.entries.size() * 2), 0);
  const std::uint64_t mask = dict.slots.size() - 1;
  for (std::size_t i = 0; i < dict.entries.size(); ++i) {
    std::uint64_t at = hash_of(budget, dict.entries[i].first) & mask;
    while (dict.slots[at] != 0) at = (at + 1) & mask;
    dict.slots[at] = static_cast<std::uint32_t>(i + 1);
  }
}

}  // namespace

std::string Undefined::message() const {
  if (!hint.empty()) return hint;
  if (owner.empty()) return fmt::format("{} is undefined", name);
  if (name.starts_with('\'') || name.starts_with('"')) return fmt::format("'{}' has no attribute {}", owner, name);
  return fmt::format("{} has no element {}", owner, name);
}

std::optional<std::size_t> Dict::find(Budget& budget, const Value& key) const {
  if (slots.empty()) {
    if (!key.is(Kind::text)) hash_of(budget, key);  // fails on what cannot be a key
    for (std::size_t i = 0; i < entries.size(); ++i) {
      if (is_equal(budget, entries[i].first, key)) return i;
    }
    return std::nullopt;
  }
  const std::uint64_t mask = slots.size() - 1;
  for (std::uint64_t at = hash_of(budget, key) & mask; slots[at] != 0; at = (at + 1) & mask) {
    const std::size_t position = slots[at] - 1;
    if (is_equal(budget, entries[position].first, key)) return position;
  }
  return std::nullopt;
}

Value Value::none() {
  Value value;
  value.data_ = None{};
  return value;
}

bool Value::is_same(const Value& other) const {
  if (is(Kind::real) && other.is(Kind::real))
    return std::bit_cast<std::uint64_t>(real()) == std::bit_cast<std::uint64_t>(other.real());
  return data_ == other.data_;
}

Value make_text_uncounted(std::string bytes, Markup markup) {
  auto text = std::make_shared<Text>();
  text->is_ascii = is_ascii(bytes);
  text->is_markup = markup == Markup::yes;
  text->bytes = std::move(bytes);
  return Value(std::shared_ptr<const Text>(std::move(text)));
}

Value make_text(Budget& budget, std::string bytes, Markup markup) {
  budget.grow(bytes.size() + sizeof(Text));
  return make_text_uncounted(std::move(bytes), markup);
}

Value make_list(Budget& budget, std::vector<Value> items) {
  return make_sequence(budget, std::move(items), false);
}
Value make_tuple(Budget& budget, std::vector<Value> items) {
  return make_sequence(budget, std::move(items), true);
}

Value make_dict(Budget& budget, std::vector<std::pair<Value, Value>> entries) {
  budget.grow(sizeof(Value) * 2, entries.size());
  auto dict = std::make_shared<Dict>();
  int deepest = 0;
  for (const auto& [key, value] : entries) deepest = std::max({deepest, depth_of(key), depth_of(value)});
  dict->depth = depth_around(budget, deepest);
  dict->entries = std::move(entries);
  build_index(budget, *dict);
  // An entry that does not find itself comes after an equal one.
  std::vector<std::pair<Value, Value>>& all = dict->entries;
  bool has_repeats = false;
  for (std::size_t i = 0; i < all.size(); ++i) {
    const std::size_t first = dict->find(budget, all[i].first).value_or(i);
    if (first == i) continue;
    all[first].second = all[i].second;
    all[i].second = Value();
    has_repeats = true;
  }
  if (has_repeats) {
    std::erase_if(all, [](const auto& entry) { return entry.second.is(Kind::missing); });
    dict->slots.clear();
    build_index(budget, *dict);
  }
  return Value(std::shared_ptr<const Dict>(std::move(dict)));
}

Value undefined_name(std::string_view name) {
  return Value(Undefined{{}, {}, quoted(name)});
}
Value undefined_hint(std::string hint) {
  return Value(Undefined{std::move(hint), {}, {}});
}

Value undefined_member(const Value& owner, const Value& name) {
  const std::string shown = name.is(Kind::text) ? quoted(name.bytes())
                            : name.is_number()  ? short_repr(name)
                                                : fmt::format("of type {}", type_name(name));
  return Value(Undefined{{}, owner.is(Kind::none) ? "None" : fmt::format("{} object", type_name(owner)), shown});
}

void require_defined(const Value& value) {
  if (value.is(Kind::undefined)) fail(value.undefined().message());
}

std::string_view type_name(const Value& value) {
  switch (value.kind()) {
    case Kind::missing:
    case Kind::undefined:
      return "Undefined";
    case Kind::none:
      return "NoneType";
    case Kind::boolean:
      return "bool";
    case Kind::integer:
      return "int";
    case Kind::real:
      return "float";
    case Kind::text:
      return "str";
    case Kind::sequence:
      return value.sequence().is_tuple ? "tuple" : "list";
    case Kind::dict:
      return "dict";
    case Kind::object:
      return value.object().type_name();
  }
  return "object";
}

int depth_of(const Value& value) {
  if (value.is(Kind::sequence)) return value.sequence().depth;
  if (value.is(Kind::object)) return value.object().depth;
  return value.is(Kind::dict) ? value.dict().depth : 0;
}

int depth_around(Budget& budget, const Value& value) {
  return depth_around(budget, depth_of(value));
}

int depth_around(Budget& budget, int deepest) {
  if (deepest >= budget.limits().max_value_depth) fail("the template nests values too deeply");
  return deepest + 1;
}

bool is_hashable(Budget& budget, const Value& value) {
  budget.step();
  if (!value.is(Kind::sequence)) return !value.is(Kind::dict);
  const auto& items = value.sequence().items;
  return value.sequence().is_tuple &&
         std::all_of(items.begin(), items.end(), [&](const Value& item) { return is_hashable(budget, item); });
}

std::uint64_t hash_of(Budget& budget, const Value& value) {
  budget.step();
  switch (value.kind()) {
    case Kind::boolean:
    case Kind::integer:
      return mix(static_cast<std::uint64_t>(value.integer()));
    case Kind::real:
      return hash_of_real(value.real());
    case Kind::text:
      budget.scan(value.bytes().size());
      return std::hash<std::string>()(value.bytes());
    case Kind::sequence: {
      if (!value.sequence().is_tuple) break;
      std::uint64_t hash = 1;
      for (const Value& item : value.sequence().items) hash = mix(hash * 31 + hash_of(budget, item));
      return hash;
    }
    case Kind::dict:
      break;
    case Kind::object:
      return std::hash<const void*>()(&value.object());
    case Kind::missing:
    case Kind::undefined:
    case Kind::none:
      return static_cast<std::uint64_t>(value.kind());
  }
  fail(fmt::format("unhashable type: '{}'", type_name(value)));
}

}  // namespace refserver::jinja
