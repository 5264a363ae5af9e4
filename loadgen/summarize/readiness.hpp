// Is this machine up to the planned load? Limits against needs, each judged with what to do about it. Pure; the limits
// are read elsewhere.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "loadgen/plan/scenario.hpp"

namespace loadgen {

/// How much later than asked a sleep ended, microseconds.
struct SleepError {
  double p50 = 0, p99 = 0;
};

/// What the machine allows; absent where it could not be read.
struct HostLimits {
  std::optional<std::uint64_t> open_files;      ///< descriptors of this process, after raising its soft limit
  std::optional<std::uint64_t> local_ports;     ///< size of the range for outgoing connections
  std::optional<std::uint64_t> time_wait;       ///< connections that still hold a port after their end
  std::optional<std::uint64_t> listen_backlog;  ///< the most that may wait to be accepted, on this machine
  std::optional<double> cpu_quota;              ///< cores that the cgroup allows; absent: no limit
  std::optional<double> steal_share;            ///< of the time since boot, taken by the hypervisor
  std::optional<double> load_average;           ///< of the last minute
  std::optional<std::uint64_t> timer_slack_ns;  ///< the least this process may ask for
  std::optional<SleepError> sleeps;             ///< how late short sleeps end; absent: not tried
  std::string clock_source, governor;           ///< empty: unknown
  unsigned cores = 1;
};

/// What a load asks of the machine.
struct LoadNeeds {
  std::uint64_t connections = 0;  ///< at the same time, to the busiest target
  std::uint64_t all_connections = 0;
  unsigned threads = 1;
  bool is_local = false;             ///< some target is on this machine
  std::size_t source_addresses = 1;  ///< that connections are made from, each with ports of its own
};

/// An open loop is taken to need `rate` times `answer_time`, since nobody knows beforehand how long answers take.
LoadNeeds needs_of(const Scenario& scenario, std::uint32_t shards, nanoseconds answer_time = std::chrono::seconds(10));

struct ReadinessCheck {
  enum class Status : std::uint8_t { ok, short_of, unknown } status = Status::ok;
  std::string name, found, needed;
  std::string fix;  ///< what to do; empty where nothing is to be done
};

std::vector<ReadinessCheck> check_readiness(const HostLimits& limits, const LoadNeeds& needs);

}  // namespace loadgen
