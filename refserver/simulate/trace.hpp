// Recorded or made-up requests as data: one JSON object per line.
#pragma once

#include <string>
#include <string_view>

#include "refserver/checkpoint/checkpoint_error.hpp"
#include "refserver/simulate/simulation.hpp"

namespace refserver {

/// Lines like {"at_ms": 12.5, "prompt": 300, "answer": 120, "allowed": 512}, in order of time: arrival, tokens of the
/// prompt, tokens of the answer it got, and tokens it might have got (absent: the same). `file` is for messages.
CheckpointResult<RequestTrace> parse_trace(std::string_view text, const std::string& file);

/// The one compiled in for an empty name, otherwise a file.
CheckpointResult<RequestTrace> load_trace(const std::string& file);

/// The longest prompt and possible answer together.
std::uint64_t longest_of(const RequestTrace& trace);

namespace embedded {
extern const std::string_view trace_chat;
}  // namespace embedded

}  // namespace refserver
