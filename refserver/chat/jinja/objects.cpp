// Iterating over everything that can be iterated over.
#include "refserver/chat/jinja/objects.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "refserver/chat/jinja/failure.hpp"
#include "refserver/chat/jinja/loop.hpp"
#include "refserver/chat/jinja/operators.hpp"
#include "refserver/chat/jinja/text.hpp"

namespace refserver::jinja {
namespace {

/// The characters of a text, forwards.
class TextIterator : public Iterator {
 public:
  TextIterator(Budget& budget, Value text) : budget_(budget), text_(std::move(text)) {}
  std::string_view type_name() const override { return "str_iterator"; }
  Value next() override {
    const std::string& bytes = text_.bytes();
    if (at_ >= bytes.size()) return {};
    const std::size_t start = at_;
    next_code_point(bytes, at_);
    return make_text(budget_, bytes.substr(start, at_ - start));
  }

 private:
  Budget& budget_;
  Value text_;
  std::size_t at_ = 0;
};

/// What has a length and items by position.
class IndexIterator : public Iterator {
 public:
  IndexIterator(Budget& budget, Value value, bool is_reversed)
      : budget_(budget), value_(std::move(value)), size_(length_of(value_)), is_reversed_(is_reversed) {}
  std::string_view type_name() const override { return is_reversed_ ? "list_reverseiterator" : "list_iterator"; }
  Value next() override {
    budget_.step();
    if (done_ == size_) return {};
    const std::size_t index = is_reversed_ ? size_ - 1 - done_ : done_;
    ++done_;
    return at(index);
  }

 private:
  Value at(std::size_t index) const {
    if (value_.is(Kind::sequence)) return value_.sequence().items[index];
    if (value_.is(Kind::dict)) return value_.dict().entries[index].first;
    if (value_.is_object(ObjectKind::range)) return Value(value_.as<Range>().at(index));
    return value_.as<View>().at(budget_, index);
  }

  Budget& budget_;
  Value value_;
  std::size_t size_;
  bool is_reversed_;
  std::size_t done_ = 0;
};

/// Going over `loop` itself: its rounds are used up, each as the item and the loop.
class LoopIterator : public Iterator {
 public:
  LoopIterator(Budget& budget, Value loop) : budget_(budget), loop_(std::move(loop)) {}
  Value next() override {
    Value item = loop_.as<Loop>().next();
    return item.is(Kind::missing) ? item : make_tuple(budget_, {std::move(item), loop_});
  }

 private:
  Budget& budget_;
  Value loop_;
};

class EmptyIterator : public Iterator {
 public:
  Value next() override { return {}; }
};

bool has_positions(const Value& value) {
  return value.is(Kind::sequence) || value.is(Kind::dict) || value.is_object(ObjectKind::range) ||
         value.is_object(ObjectKind::view);
}

}  // namespace

const Value* Namespace::find(std::string_view name) const {
  const auto at = std::find_if(attributes.begin(), attributes.end(), [&](const auto& a) { return a.first == name; });
  return at == attributes.end() ? nullptr : &at->second;
}

void Namespace::set(std::string_view name, Value value) {
  const auto at = std::find_if(attributes.begin(), attributes.end(), [&](const auto& a) { return a.first == name; });
  if (at != attributes.end()) {
    at->second = std::move(value);
  } else {
    attributes.emplace_back(name, std::move(value));
  }
}

std::size_t Range::size() const {
  if (step > 0 ? start >= stop : start <= stop) return 0;
  // The distance may not fit a signed number.
  const std::uint64_t span = step > 0 ? static_cast<std::uint64_t>(stop) - static_cast<std::uint64_t>(start)
                                      : static_cast<std::uint64_t>(start) - static_cast<std::uint64_t>(stop);
  const std::uint64_t stride = step > 0 ? static_cast<std::uint64_t>(step) : 0 - static_cast<std::uint64_t>(step);
  return (span - 1) / stride + 1;
}

std::string_view View::type_name() const {
  return which == ViewKind::keys ? "dict_keys" : which == ViewKind::values ? "dict_values" : "dict_items";
}

Value View::at(Budget& budget, std::size_t index) const {
  const auto& [key, value] = dict->entries[index];
  if (which == ViewKind::keys) return key;
  return which == ViewKind::values ? value : make_tuple(budget, {key, value});
}

std::shared_ptr<Iterator> iterate(Budget& budget, const Value& value) {
  if (has_positions(value)) return std::make_shared<IndexIterator>(budget, value, false);
  if (value.is(Kind::text)) return std::make_shared<TextIterator>(budget, value);
  if (value.is(Kind::undefined)) {
    // Python makes the error of an unsafe attribute only when it is used, and so do we: iterating is no use of it.
    return std::make_shared<EmptyIterator>();
  }
  if (value.is_object(ObjectKind::loop)) return std::make_shared<LoopIterator>(budget, value);
  if (value.is_object(ObjectKind::iterator)) return std::static_pointer_cast<Iterator>(value.shared_object());
  fail(fmt::format("'{}' object is not iterable", type_name(value)));
}

std::shared_ptr<Iterator> iterate_reversed(Budget& budget, const Value& value) {
  if (has_positions(value)) return std::make_shared<IndexIterator>(budget, value, true);
  if (value.is(Kind::undefined)) return std::make_shared<EmptyIterator>();
  return nullptr;
}

bool is_iterable(const Value& value) {
  return has_positions(value) || value.is(Kind::text) || value.is(Kind::undefined) ||
         value.is_object(ObjectKind::iterator) || value.is_object(ObjectKind::loop);
}

bool has_length(const Value& value) {
  return has_positions(value) || value.is(Kind::text) || value.is(Kind::undefined) || value.is_object(ObjectKind::loop);
}

std::vector<Value> collect(Budget& budget, const Value& value) {
  if (value.is(Kind::sequence)) {
    budget.grow(sizeof(Value), value.sequence().items.size());
    return value.sequence().items;
  }
  std::vector<Value> items;
  const std::shared_ptr<Iterator> iterator = iterate(budget, value);
  for (Value item = iterator->next(); !item.is(Kind::missing); item = iterator->next()) {
    budget.grow(sizeof(Value));
    items.push_back(std::move(item));
  }
  return items;
}

}  // namespace refserver::jinja
