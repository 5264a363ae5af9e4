// What one process of a run leaves behind for the merge: everything it measured, losslessly, and who it was.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "loadgen/observe/sample_series.hpp"
#include "loadgen/record/run_totals.hpp"

namespace loadgen {

/// The real-time clock of a machine, as its kernel judges it.
struct ClockState {
  bool is_synchronised = true;
  std::int64_t max_error_us = 0;
};

struct ShardResult {
  std::string directory;  ///< where it was read from
  std::string plan_hash;
  std::string version;             ///< of the program
  std::string scenario_document;   ///< JSON of what was asked for, without secrets
  std::vector<std::string> gates;  ///< as written
  std::string host;
  std::string nonce;                 ///< unlike any other attempt's
  bool is_complete = false;          ///< false: interrupted, or an account of a run that did not get to its end
  bool has_lost_records = false;     ///< an exporter could not store everything
  std::string validity;              ///< VALID, SUSPECT or INVALID, as it judged itself
  std::vector<std::string> reasons;  ///< in words
  ClockState clock;
  RunTotals totals;           ///< stamps of that machine's own clock; no slowest requests
  Observations observations;  ///< what it read of GPUs and servers, by the same clock; a cut off run has none
};

}  // namespace loadgen
