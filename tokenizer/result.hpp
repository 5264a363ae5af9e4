// The one result type of this folder: a value, or a sentence that says what is wrong and where.
#pragma once

#include <boost/system/result.hpp>
#include <stdexcept>
#include <string>

namespace tokenizer {

/// Errors are sentences for the person who owns the file: they name the member and what was expected there.
struct Error {
  std::string text;
};

template <class T>
using Result = boost::system::result<T, Error>;

[[noreturn]] inline void throw_exception_from_error(const Error& error, const boost::source_location& /*where*/) {
  throw std::runtime_error(error.text);
}

}  // namespace tokenizer
