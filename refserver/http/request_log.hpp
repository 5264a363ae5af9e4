// What --json-output says of every generation that ended: one JSON object per line, keys as TGI's logs have them. Pure.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace refserver {

struct LogFacts {
  std::uint64_t id = 0;
  std::optional<std::string> client_id;  ///< the request's x-request-id header
  std::string_view model;                ///< empty if it was refused before one was chosen
  std::string_view route;
  std::string_view outcome;  ///< "ok" or what went wrong
  std::uint32_t prompt_tokens = 0;
  std::size_t generated_tokens = 0;
  std::uint64_t total_ms = 0;
  std::chrono::system_clock::time_point time;
};

/// With the line end. Level INFO for what went well and for clients that left, ERROR for the rest.
std::string make_log_line(const LogFacts& facts);

}  // namespace refserver
