// Looking ahead only when asked to: the items of a filtered loop are tested as they come.
#include "refserver/chat/jinja/loop.hpp"

#include <fmt/format.h>

#include "refserver/chat/jinja/failure.hpp"
#include "refserver/chat/jinja/operators.hpp"

namespace refserver::jinja {
namespace {

/// What is left of an iterator, once it had to be gone through to be counted.
class RestIterator : public Iterator {
 public:
  explicit RestIterator(std::vector<Value> items) : items_(std::move(items)) {}
  Value next() override { return at_ < items_.size() ? items_[at_++] : Value(); }

 private:
  std::vector<Value> items_;
  std::size_t at_ = 0;
};

}  // namespace

Loop::Loop(Budget& budget, Value iterable)
    : budget_(budget), iterable_(std::move(iterable)), iterator_(iterate(budget, iterable_)) {
  depth = depth_around(budget, iterable_);
}

Value Loop::next() {
  Value item = after_.is(Kind::missing) ? iterator_->next() : std::exchange(after_, Value());
  if (item.is(Kind::missing)) return item;
  ++index0_;
  before_ = std::move(current_);
  current_ = item;
  return item;
}

const Value& Loop::peek() {
  if (after_.is(Kind::missing)) after_ = iterator_->next();
  return after_;
}

std::int64_t Loop::length() {
  if (length_) return *length_;
  if (has_length(iterable_)) {
    length_ = static_cast<std::int64_t>(length_of(iterable_));
  } else {
    std::vector<Value> rest;
    for (Value item = iterator_->next(); !item.is(Kind::missing); item = iterator_->next()) {
      budget_.grow(sizeof(Value));
      rest.push_back(std::move(item));
    }
    length_ = static_cast<std::int64_t>(rest.size()) + index0_ + 1 + (after_.is(Kind::missing) ? 0 : 1);
    iterator_ = std::make_shared<RestIterator>(std::move(rest));
  }
  return *length_;
}

std::string Loop::show() {
  return fmt::format("<LoopContext {}/{}>", index0_ + 1, length());
}

Value Loop::attribute(std::string_view name) {
  if (name == "index") return Value(index0_ + 1);
  if (name == "index0") return Value(index0_);
  if (name == "revindex") return Value(length() - index0_);
  if (name == "revindex0") return Value(length() - index0_ - 1);
  if (name == "first") return Value(index0_ == 0);
  if (name == "last") return Value(peek().is(Kind::missing));
  if (name == "length") return Value(length());
  if (name == "depth") return Value(std::int64_t{1});
  if (name == "depth0") return Value(std::int64_t{0});
  if (name == "previtem") return index0_ == 0 ? undefined_hint("there is no previous item") : before_;
  if (name == "nextitem") return peek().is(Kind::missing) ? undefined_hint("there is no next item") : peek();
  return {};
}

Value Loop::cycle(const Arguments& arguments) const {
  if (!arguments.keywords.empty()) fail("cycle() takes no keyword arguments");
  if (arguments.positional.empty()) fail("no items for cycling given");
  return arguments.positional[static_cast<std::size_t>(index0_) % arguments.positional.size()];
}

Value Loop::changed(Arguments arguments) {
  if (!arguments.keywords.empty()) fail("changed() takes no keyword arguments");
  Value now = make_tuple(budget_, std::move(arguments.positional));
  const bool has_changed = last_changed_.is(Kind::missing) || !is_equal(budget_, last_changed_, now);
  last_changed_ = std::move(now);
  return Value(has_changed);
}

}  // namespace refserver::jinja
