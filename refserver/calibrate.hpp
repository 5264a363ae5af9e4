// Measures how well this machine keeps time: sleeps as the engine thread sleeps, and writes as tokens are written.
#pragma once

#include <cstdint>

#include "refserver/api/calibration.hpp"

namespace refserver {

/// Takes about `samples` milliseconds of the calling thread; its timer slack is what it is. At least one sample. Throws
/// std::system_error if no socket can be had.
Calibration calibrate(std::uint32_t samples);

}  // namespace refserver
