// What an engine is, in the words of the loop that drives it: sequences go in, tokens come out. An engine never sees a
// socket, a queue or a clock; time is an argument.
#pragma once

#include <cstddef>
#include <optional>
#include <vector>

#include "refserver/api/token_event.hpp"
#include "refserver/queue/work_queue.hpp"

namespace refserver {

class Engine {
 public:
  virtual ~Engine() = default;

  /// Takes over a request. Its tokens come out of later steps.
  virtual void add(Pending pending) = 0;
  /// Drops a request; no token of it comes out any more. Unknown ids are ignored.
  virtual void cancel(RequestId id) = 0;
  /// Does the work that is due at `now` and appends the tokens it gave, in order of their due times. Returns when to
  /// call again: a past time means at once, nothing means not before there is new work. One call stays short, so that
  /// cancellations are seen soon.
  virtual std::optional<TimePoint> step(TimePoint now, std::vector<TokenEvent>& out) = 0;
  /// Requests being worked on.
  virtual std::size_t active() const = 0;
};

}  // namespace refserver
