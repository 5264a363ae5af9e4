// What came back for an HTTP request, as a plain value.
#pragma once

#include <chrono>
#include <string>

namespace exporters {

/// An HTTP answer, or its absence.
struct HttpAnswer {
  int status = 0;                       ///< 0: no complete answer, see transport_error
  std::string body;                     ///< cut at the client's limit
  std::chrono::seconds retry_after{0};  ///< 0: the header is absent
  std::string transport_error;
};

}  // namespace exporters
