// The variable `loop`.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "refserver/chat/jinja/objects.hpp"

namespace refserver::jinja {

/// Goes through an iterable, at most one item ahead of the loop unless its length is asked for.
class Loop : public Object {
 public:
  Loop(Budget& budget, Value iterable);
  ObjectKind object_kind() const override { return ObjectKind::loop; }
  std::string_view type_name() const override { return "LoopContext"; }
  /// As printed: "<LoopContext 1/3>".
  std::string show();

  /// Of the iterable; goes through what is left of one that does not know.
  std::int64_t length();
  /// The next item, or a missing value at the end.
  Value next();
  /// loop.index and so on; a missing value for a name there is none of.
  Value attribute(std::string_view name);
  /// loop.cycle(...): the argument whose turn it is.
  Value cycle(const Arguments& arguments) const;
  /// loop.changed(...): whether the arguments differ from those of the last call.
  Value changed(Arguments arguments);

 private:
  const Value& peek();

  Budget& budget_;
  Value iterable_;
  std::shared_ptr<Iterator> iterator_;
  std::optional<std::int64_t> length_;
  std::int64_t index0_ = -1;
  Value before_;
  Value current_;
  Value after_;
  Value last_changed_;
};

}  // namespace refserver::jinja
