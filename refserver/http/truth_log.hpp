// What the server really did, one JSON line per request: the independent record a load generator is checked against.
// Written by a thread of its own, so that the I/O thread never waits for a disk. All times are CLOCK_MONOTONIC ns.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <fstream>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "refserver/api/generate_request.hpp"
#include "refserver/api/token_event.hpp"

namespace refserver {

struct TruthRecord {
  RequestId id = 0;
  std::string model;  ///< short name; empty if the request was refused before a model was chosen
  Route route = Route::generate;
  std::optional<std::string> client_id;  ///< the request's x-request-id header
  TimePoint received;                    ///< the request had arrived: the kernel's stamp, else the end of its last read
  std::uint32_t prompt_tokens = 0;
  std::vector<TimePoint> due;        ///< per token, a stall included
  std::vector<TimePoint> achieved;   ///< directly before the write of a token's bytes; one entry for whole answers
  TimePoint scheduled;               ///< the request was first given a place; the epoch: never
  std::vector<std::uint64_t> steps;  ///< per token, the scheduler's step that gave it
  std::uint32_t cached_tokens = 0;   ///< of the prompt, found in the prefix cache
  std::uint32_t preemptions = 0;
  std::string_view outcome = "ok";  ///< "ok", an error label, "client_gone", "slow_reader", "shutdown", or "fault"
                                    ///< where one done on purpose ended the answer
  std::string_view fault{};         ///< the fault that was done to the answer; empty: none
  std::uint32_t fault_token = 0;    ///< and to which token; 0: to none

  /// A token came from the engine.
  void add(const TokenEvent& event);
};

/// One line: {"id","model","route","client_id","recv_ns","prompt_tokens","scheduled_ns","cached_tokens","preemptions",
/// "due_ns","steps","achieved_ns","fault","fault_token","outcome"}; scheduled_ns, fault and fault_token may be null.
void append_truth_line(const TruthRecord& record, std::string& out);

class TruthLog {
 public:
  /// Creates or empties the file and writes `first_line`, if it is not empty. Throws std::runtime_error if the file
  /// cannot be written.
  explicit TruthLog(const std::string& path, const std::string& first_line = "");
  /// Writes what is left.
  ~TruthLog();
  TruthLog(const TruthLog&) = delete;
  TruthLog& operator=(const TruthLog&) = delete;

  /// Takes the record; it is in the file within a second. Never blocks on the disk.
  void write(TruthRecord record);
  /// Writes everything taken so far and stops the thread. True if the file holds every record.
  bool finish() noexcept;

 private:
  void run();

  std::ofstream file_;
  std::mutex mutex_;
  std::condition_variable wake_;
  std::vector<TruthRecord> waiting_;
  std::uint64_t dropped_ = 0;  ///< records refused because the disk did not keep up
  bool is_finished_ = false;
  std::thread thread_;
};

}  // namespace refserver
