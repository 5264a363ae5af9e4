// One request by itself, start to end, on a connection of its own: what `loadgen probe` is made of.
#pragma once

#include <string>
#include <vector>

#include "loadgen/drive/request_record.hpp"
#include "loadgen/drive/targets.hpp"
#include "loadgen/plan/scenario.hpp"

namespace loadgen {

/// Sends the first prompt of `entry` and waits for the answer, from the first of `source_addresses` that fits, if there
/// are any. Failures are in the record's outcome; never throws.
RequestRecord send_single_request(const MixEntry& entry, const Address& address, const Timeouts& timeouts,
                                  const std::vector<std::string>& source_addresses = {});

}  // namespace loadgen
