// The one result type of this folder: a value or an error. Pure code returns it and never throws.
#pragma once

#include <boost/system/error_code.hpp>
#include <boost/system/result.hpp>

namespace refserver {

/// A value of type T, or an error of type E. Test with `has_value()`, take with `*r` and `r.error()`.
template <class T, class E = boost::system::error_code>
using Result = boost::system::result<T, E>;

}  // namespace refserver
