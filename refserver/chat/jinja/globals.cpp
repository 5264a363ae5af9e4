// The functions a template can call without more: range, dict, namespace, raise_exception, strftime_now.
#include <fmt/format.h>

#include <algorithm>

#include "refserver/chat/jinja/arguments.hpp"
#include "refserver/chat/jinja/builtins.hpp"
#include "refserver/chat/jinja/failure.hpp"
#include "refserver/chat/jinja/interpreter.hpp"
#include "refserver/chat/jinja/operators.hpp"
#include "refserver/chat/jinja/print.hpp"
#include "refserver/chat/jinja/strftime.hpp"

namespace refserver::jinja {
namespace {

/// What the sandbox lets a range have.
constexpr std::size_t kMaxRange = 100000;

class Global : public Function {
 public:
  Global(std::string_view name, Builtin function) : name_(name), call_(function) {}
  std::string show() const override {
    require_supported();
    return fmt::format("<function {}>", name_);
  }
  Value call(Interpreter& interpreter, Arguments arguments) override {
    require_supported();
    return call_(interpreter, Value(), arguments);
  }

 private:
  void require_supported() const {
    if (call_ == nullptr) fail(fmt::format("the global '{}' is not supported", name_));
  }

  std::string_view name_;
  Builtin call_;
};

Value make_range(Interpreter&, const Value&, Arguments& arguments) {
  if (!arguments.keywords.empty()) fail("range() takes no keyword arguments");
  const auto& given = arguments.positional;
  if (given.empty() || given.size() > 3) fail(fmt::format("range expected 1 to 3 arguments, got {}", given.size()));
  const std::int64_t start = given.size() > 1 ? as_integer(given[0]) : 0;
  const std::int64_t stop = as_integer(given[given.size() > 1 ? 1 : 0]);
  const std::int64_t step = given.size() > 2 ? as_integer(given[2]) : 1;
  if (step == 0) fail("range() arg 3 must not be zero");
  auto range = std::make_shared<Range>(start, stop, step);
  if (range->size() > kMaxRange) {
    fail(fmt::format("Range too big. The sandbox blocks ranges larger than MAX_RANGE ({}).", kMaxRange));
  }
  return Value(std::shared_ptr<Object>(std::move(range)));
}

/// The entries of dict(...) and namespace(...): those of a mapping or of pairs, then the keywords.
std::vector<std::pair<Value, Value>> collect_entries(Interpreter& interpreter, const Arguments& arguments,
                                                     std::string_view function) {
  Budget& budget = interpreter.budget();
  if (arguments.positional.size() > 1) {
    fail(fmt::format("{} expected at most 1 argument, got {}", function, arguments.positional.size()));
  }
  std::vector<std::pair<Value, Value>> entries;
  if (!arguments.positional.empty() && arguments.positional[0].is(Kind::dict)) {
    entries = arguments.positional[0].dict().entries;
  } else if (!arguments.positional.empty()) {
    for (const Value& pair : collect(budget, arguments.positional[0])) {
      std::vector<Value> both = collect(budget, pair);
      if (both.size() != 2)
        fail(fmt::format("dictionary update sequence element has length {}; 2 is required", both.size()));
      entries.emplace_back(std::move(both[0]), std::move(both[1]));
    }
  }
  for (const auto& [name, value] : arguments.keywords) entries.emplace_back(make_text(budget, name), value);
  return entries;
}

Value make_dict_of(Interpreter& interpreter, const Value&, Arguments& arguments) {
  return make_dict(interpreter.budget(), collect_entries(interpreter, arguments, "dict"));
}

Value make_namespace_of(Interpreter& interpreter, const Value&, Arguments& arguments) {
  const Value entries = make_dict(interpreter.budget(), collect_entries(interpreter, arguments, "namespace"));
  const std::shared_ptr<Namespace> space = interpreter.make_namespace();
  for (const auto& [name, value] : entries.dict().entries) {
    const std::string& attribute = as_text(name, "the name of an attribute");
    if (attribute.starts_with('_')) {
      fail(fmt::format("a namespace cannot have the attribute '{}': it starts with an underscore", attribute));
    }
    space->attributes.emplace_back(attribute, value);
  }
  return Value(std::shared_ptr<Object>(space));
}

Value raise_exception(Interpreter& interpreter, const Value&, Arguments& arguments) {
  const auto given = bind("raise_exception", arguments, {"message"}, 1);
  fail(to_text(interpreter.budget(), given[0]));
}

Value strftime_now(Interpreter& interpreter, const Value&, Arguments& arguments) {
  const auto given = bind("strftime_now", arguments, {"format"}, 1);
  const std::string& format = as_text(given[0], "strftime() argument 1");
  interpreter.budget().grow(format.size(), 64);
  return make_text(interpreter.budget(), format_time(format, interpreter.now()));
}

struct Row {
  std::string_view name;
  Builtin call;
};

constexpr Row kRows[] = {
    {"range", make_range},
    {"dict", make_dict_of},
    {"namespace", make_namespace_of},
    {"raise_exception", raise_exception},
    {"strftime_now", strftime_now},
    {"lipsum", nullptr},
    {"cycler", nullptr},
    {"joiner", nullptr},
    {"self", nullptr},
};

}  // namespace

Value find_global(std::string_view name) {
  const auto row = std::find_if(std::begin(kRows), std::end(kRows), [&](const Row& r) { return r.name == name; });
  if (row == std::end(kRows)) return {};
  return Value(std::shared_ptr<Object>(std::make_shared<Global>(row->name, row->call)));
}

}  // namespace refserver::jinja
