// Filters that answer item by item, as Python's generators do: an error in an item nobody asks for never happens.
#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <unordered_map>

#include "refserver/chat/jinja/arguments.hpp"
#include "refserver/chat/jinja/attribute_path.hpp"
#include "refserver/chat/jinja/builtins.hpp"
#include "refserver/chat/jinja/failure.hpp"
#include "refserver/chat/jinja/interpreter.hpp"
#include "refserver/chat/jinja/operators.hpp"
#include "refserver/chat/jinja/print.hpp"

namespace refserver::jinja {
namespace {

/// A generator: `start` runs when the first item is asked for and gives what makes the items.
class Generator : public Iterator {
 public:
  using Next = std::function<Value()>;
  explicit Generator(std::function<Next()> start) : start_(std::move(start)) {}
  Value next() override {
    if (is_running_) fail("generator already executing");
    if (is_over_) return {};
    is_running_ = true;
    Value item;
    try {
      if (!next_) next_ = start_();
      item = next_();
    } catch (...) {
      is_running_ = false;
      is_over_ = true;
      throw;
    }
    is_running_ = false;
    is_over_ = item.is(Kind::missing);
    return item;
  }

 private:
  std::function<Next()> start_;
  Next next_;
  bool is_running_ = false;
  bool is_over_ = false;
};

Value make_generator(Budget& budget, const Value& subject, const Arguments& arguments,
                     std::function<Generator::Next()> start) {
  int deepest = depth_of(subject);
  for (const Value& value : arguments.positional) deepest = std::max(deepest, depth_of(value));
  for (const auto& [name, value] : arguments.keywords) deepest = std::max(deepest, depth_of(value));
  auto generator = std::make_shared<Generator>(std::move(start));
  generator->depth = depth_around(budget, deepest);
  budget.grow(sizeof(Generator));
  return Value(std::shared_ptr<Object>(std::move(generator)));
}

Generator::Next nothing() {
  return [] { return Value(); };
}

/// The function of one item that `map` applies.
std::function<Value(Value)> make_mapping(Interpreter& interpreter, Arguments arguments) {
  const bool has_attribute = std::any_of(arguments.keywords.begin(), arguments.keywords.end(),
                                         [](const auto& k) { return k.first == "attribute"; });
  if (arguments.positional.empty() && has_attribute) {
    Value attribute;
    Value otherwise;
    for (const auto& [name, value] : arguments.keywords) {
      if (name != "attribute" && name != "default") fail(fmt::format("Unexpected keyword argument {}", quoted(name)));
      (name == "attribute" ? attribute : otherwise) = value;
    }
    return [&interpreter, path = AttributePath(attribute), otherwise](Value item) {
      return path.follow(interpreter, std::move(item), otherwise);
    };
  }
  if (arguments.positional.empty()) fail("map requires a filter argument");
  const Value name = arguments.positional.front();
  arguments.positional.erase(arguments.positional.begin());
  return [&interpreter, name, arguments](const Value& item) { return interpreter.apply_filter(name, item, arguments); };
}

Value filter_map(Interpreter& interpreter, const Value& subject, Arguments& arguments) {
  return make_generator(
      interpreter.budget(), subject, arguments, [&interpreter, subject, arguments]() -> Generator::Next {
        if (!is_true(subject)) return nothing();
        return [mapping = make_mapping(interpreter, arguments), items = iterate(interpreter.budget(), subject)]() {
          Value item = items->next();
          return item.is(Kind::missing) ? item : mapping(std::move(item));
        };
      });
}

/// What one of the four choosing filters does.
struct Choice {
  bool wanted;        ///< the outcome of the test that lets an item through
  bool of_attribute;  ///< the first argument names what is tested
};

/// The function that says whether an item is let through.
std::function<bool(const Value&)> make_choice(Interpreter& interpreter, Arguments arguments, Choice choice) {
  std::vector<Value>& positional = arguments.positional;
  AttributePath path{Value()};
  if (choice.of_attribute) {
    if (positional.empty()) fail("Missing parameter for attribute name");
    path = AttributePath(positional.front());
    positional.erase(positional.begin());
  }
  Value test;
  if (!positional.empty()) {
    test = positional.front();
    positional.erase(positional.begin());
  }
  return [&interpreter, path, test, arguments, choice](const Value& item) {
    const Value tested = path.follow(interpreter, item);
    const bool outcome = test.is(Kind::missing) ? is_true(tested) : interpreter.apply_test(test, tested, arguments);
    return outcome == choice.wanted;
  };
}

Value choose(Interpreter& interpreter, const Value& subject, const Arguments& arguments, Choice choice) {
  return make_generator(interpreter.budget(), subject, arguments,
                        [&interpreter, subject, arguments, choice]() -> Generator::Next {
                          if (!is_true(subject)) return nothing();
                          return [is_chosen = make_choice(interpreter, arguments, choice),
                                  items = iterate(interpreter.budget(), subject)]() {
                            Value item = items->next();
                            while (!item.is(Kind::missing) && !is_chosen(item)) item = items->next();
                            return item;
                          };
                        });
}

Value filter_select(Interpreter& interpreter, const Value& subject, Arguments& arguments) {
  return choose(interpreter, subject, arguments, {true, false});
}
Value filter_reject(Interpreter& interpreter, const Value& subject, Arguments& arguments) {
  return choose(interpreter, subject, arguments, {false, false});
}
Value filter_selectattr(Interpreter& interpreter, const Value& subject, Arguments& arguments) {
  return choose(interpreter, subject, arguments, {true, true});
}
Value filter_rejectattr(Interpreter& interpreter, const Value& subject, Arguments& arguments) {
  return choose(interpreter, subject, arguments, {false, true});
}

Value filter_items(Interpreter& interpreter, const Value& subject, Arguments& arguments) {
  bind_none("items", arguments);
  Budget& budget = interpreter.budget();
  return make_generator(budget, subject, arguments, [&budget, subject]() -> Generator::Next {
    if (subject.is(Kind::undefined)) return nothing();
    if (!subject.is(Kind::dict)) fail("Can only get item pairs from a mapping.");
    return [&budget, subject, at = std::size_t{0}]() mutable {
      const auto& entries = subject.dict().entries;
      if (at == entries.size()) return Value();
      const auto& [key, value] = entries[at++];
      return make_tuple(budget, {key, value});
    };
  });
}

/// The keys seen so far, by hash.
class Seen {
 public:
  explicit Seen(Budget& budget) : budget_(budget) {}
  bool add(Value key) {
    const std::uint64_t hash = hash_of(budget_, key);
    const auto [first, last] = keys_.equal_range(hash);
    for (auto at = first; at != last; ++at) {
      if (is_equal(budget_, at->second, key)) return false;
    }
    budget_.grow(sizeof(Value));
    keys_.emplace(hash, std::move(key));
    return true;
  }

 private:
  Budget& budget_;
  std::unordered_multimap<std::uint64_t, Value> keys_;
};

Value filter_unique(Interpreter& interpreter, const Value& subject, Arguments& arguments) {
  const auto given = bind("unique", arguments, {"case_sensitive", "attribute"});
  return make_generator(interpreter.budget(), subject, arguments, [&interpreter, subject, given]() -> Generator::Next {
    Budget& budget = interpreter.budget();
    return [&interpreter, &budget, path = AttributePath(given[1]), is_case_sensitive = as_bool_or(given[0], false),
            seen = std::make_shared<Seen>(budget), items = iterate(budget, subject)]() {
      Value item = items->next();
      while (!item.is(Kind::missing) &&
             !seen->add(sort_key(budget, path.follow(interpreter, item), is_case_sensitive))) {
        item = items->next();
      }
      return item;
    };
  });
}

Value filter_batch(Interpreter& interpreter, const Value& subject, Arguments& arguments) {
  const auto given = bind("batch", arguments, {"linecount", "fill_with"}, 1);
  Budget& budget = interpreter.budget();
  return make_generator(budget, subject, arguments, [&budget, subject, given]() -> Generator::Next {
    return [&budget, given, items = iterate(budget, subject), batch = std::vector<Value>()]() mutable {
      const auto has_size = [&] { return is_equal(budget, Value(static_cast<std::int64_t>(batch.size())), given[0]); };
      for (Value item = items->next(); !item.is(Kind::missing); item = items->next()) {
        const bool is_full = has_size();
        std::vector<Value> full = is_full ? std::exchange(batch, {}) : std::vector<Value>();
        budget.grow(sizeof(Value));
        batch.push_back(std::move(item));
        if (is_full) return make_list(budget, std::move(full));
      }
      if (batch.empty()) return Value();
      const std::int64_t size = is_given(given[1]) ? as_integer(given[0]) : 0;
      if (size > static_cast<std::int64_t>(batch.size())) {
        budget.grow(sizeof(Value), static_cast<std::uint64_t>(size));
        batch.resize(static_cast<std::size_t>(size), given[1]);
      }
      return make_list(budget, std::exchange(batch, {}));
    };
  });
}

Value filter_slice(Interpreter& interpreter, const Value& subject, Arguments& arguments) {
  const auto given = bind("slice", arguments, {"slices", "fill_with"}, 1);
  Budget& budget = interpreter.budget();
  return make_generator(budget, subject, arguments, [&budget, subject, given]() -> Generator::Next {
    const std::int64_t slices = as_integer(given[0]);
    if (slices == 0) fail("integer division or modulo by zero");
    return [&budget, given, slices, items = collect(budget, subject), number = std::int64_t{0},
            at = std::size_t{0}]() mutable {
      if (number >= slices) return Value();
      const auto count = static_cast<std::int64_t>(items.size());
      const bool has_extra = number < count % slices;
      const std::size_t size = static_cast<std::size_t>(count / slices) + (has_extra ? 1 : 0);
      std::vector<Value> slice(items.begin() + static_cast<std::ptrdiff_t>(at),
                               items.begin() + static_cast<std::ptrdiff_t>(at + size));
      if (is_given(given[1]) && !has_extra) slice.push_back(given[1]);
      at += size;
      ++number;
      return make_list(budget, std::move(slice));
    };
  });
}

constexpr BuiltinRow kRows[] = {
    {"map", filter_map},       {"select", filter_select},         {"reject", filter_reject},
    {"items", filter_items},   {"selectattr", filter_selectattr}, {"rejectattr", filter_rejectattr},
    {"unique", filter_unique}, {"batch", filter_batch},           {"slice", filter_slice},
};

}  // namespace

std::span<const BuiltinRow> lazy_filters() {
  return kRows;
}

}  // namespace refserver::jinja
