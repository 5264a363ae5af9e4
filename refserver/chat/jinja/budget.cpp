// The words for each limit.
#include "refserver/chat/jinja/budget.hpp"

#include "refserver/chat/jinja/failure.hpp"

namespace refserver::jinja {

void Budget::fail_steps() {
  fail("the template takes too many steps");
}
void Budget::fail_value() {
  fail("the template makes too large a value");
}
void Budget::fail_allocated() {
  fail("the template uses too much memory");
}
void Budget::fail_depth() {
  fail("the template recurses too deeply");
}

}  // namespace refserver::jinja
