// What machine the generator runs on: a label in every result, so that numbers are compared with their like.
#pragma once

#include <filesystem>

#include "loadgen/summarize/summary.hpp"

namespace loadgen {

/// Reads `root`/proc/cpuinfo and `root`/sys/.../scaling_governor; what cannot be read is "unknown". The kernel is that
/// of this machine.
HostFacts read_host_facts(const std::filesystem::path& root = "/");

}  // namespace loadgen
