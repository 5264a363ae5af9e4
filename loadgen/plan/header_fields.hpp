// Request headers out of a document. Values may hold `${env:NAME}` and `${file:PATH}`, so that what is secret need not
// stand in a scenario or on a command line.
#pragma once

#include <string>
#include <string_view>

#include "loadgen/plan/object_reader.hpp"
#include "loadgen/plan/scenario.hpp"
#include "loadgen/result.hpp"

namespace loadgen {

/// `headers` of `object` over the given ones; names compare without case. What is wrong becomes errors of `object`, in
/// which no value of a header is repeated.
Headers read_headers(const ObjectReader& object, Headers headers);

/// The value with everything in `${...}` looked up: a variable of the environment, or the first line of a file. The
/// error names the variable or file, never what is in it.
Result<std::string, std::string> resolve_header_value(std::string_view text);

/// `authorization: Bearer` with the key in LOADGEN_API_KEY; none where that is not set. For entries that bring no
/// authorization of their own.
Headers read_api_key(const ObjectReader& object);

/// Adds to `headers` those of `defaults` whose names they lack.
void add_missing_headers(Headers& headers, const Headers& defaults);

}  // namespace loadgen
