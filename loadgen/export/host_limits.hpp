// Reads the limits of this machine and process from /proc, /sys and the kernel.
#pragma once

#include <filesystem>

#include "loadgen/summarize/readiness.hpp"

namespace loadgen {

/// `root` stands for /, so that a test can bring its own files; what cannot be read stays absent.
HostLimits read_host_limits(const std::filesystem::path& root = "/");

/// Sleeps 200 times for a millisecond, as precisely as this thread may, and says how late the sleeps ended.
SleepError time_sleeps();

}  // namespace loadgen
