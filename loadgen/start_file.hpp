// A common start that is known only after all processes are up: they wait for a file that says when.
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <string>

#include "loadgen/result.hpp"

namespace loadgen {

/// Waits until `path` holds a time as --start-at has it, with or without a line end, and gives it in nanoseconds since
/// 1970. A file that is being written is read again. Call it with the stop_signals() blocked: they end the wait,
/// as does `limit`. The error says which, or what is wrong with a whole line.
Result<std::int64_t, std::string> await_start_file(const std::filesystem::path& path, std::chrono::nanoseconds limit);

}  // namespace loadgen
