// Takes the value out of a result that a test relies on; an error fails the test with its text.
#pragma once

#include <stdexcept>
#include <string>
#include <utility>

#include "exporters/result.hpp"

namespace exporters {

template <class T>
T must(Result<T, std::string> result) {
  if (!result) throw std::runtime_error(result.error());
  return std::move(*result);
}

}  // namespace exporters
