// A line of requests.jsonl read back: as the request it was, or as a row of a table.
#pragma once

#include <string>
#include <string_view>

#include "loadgen/record/interval.hpp"
#include "loadgen/result.hpp"

namespace loadgen {

/// One line, as far as points need it.
struct ReadRequest {
  struct Words {
    std::string entry, scenario, route, target, model;
  } words;
  RequestRow row;
};

/// The error says which member is missing or wrong.
Result<ReadRequest, std::string> parse_request_line(std::string_view line);

/// The header of the table, CRLF included.
std::string csv_header();

/// Appends a row as RFC 4180 has it: commas between, CRLF behind, quotes where they are needed. What a request does not
/// have is an empty cell. The error says why the line is no request.
Result<void, std::string> append_csv_row(std::string& out, std::string_view request_line);

}  // namespace loadgen
