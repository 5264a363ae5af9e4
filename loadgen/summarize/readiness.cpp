// One function per limit.
#include "loadgen/summarize/readiness.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <map>

namespace loadgen {
namespace {

using Status = ReadinessCheck::Status;

constexpr std::uint64_t spare_descriptors = 64;  // files, epoll sets, sockets of exporters
constexpr double busy_share = 0.7;
constexpr double steal_limit = 0.01;

ReadinessCheck at_least(const char* name, const std::optional<std::uint64_t>& found, std::uint64_t needed,
                        const std::string& fix) {
  if (!found) return {Status::unknown, name, "unknown", std::to_string(needed), ""};
  const bool enough = *found >= needed;
  return {enough ? Status::ok : Status::short_of, name, std::to_string(*found), fmt::format("at least {}", needed),
          enough ? "" : fix};
}

ReadinessCheck check_files(const HostLimits& limits, const LoadNeeds& needs) {
  const std::uint64_t needed = needs.all_connections + spare_descriptors;
  return at_least(
      "open_files", limits.open_files, needed,
      fmt::format("ulimit -n {} (the hard limit: /etc/security/limits.conf, or LimitNOFILE= of the service)", needed));
}

/// Ports are taken per target address; those of connections that have ended are held for a minute.
ReadinessCheck check_ports(const HostLimits& limits, const LoadNeeds& needs) {
  std::optional<std::uint64_t> left = limits.local_ports;
  if (left) *left *= needs.source_addresses;
  if (left) *left -= std::min(*left, limits.time_wait.value_or(0));
  ReadinessCheck check = at_least("local_ports", left, needs.connections,
                                  "sysctl -w net.ipv4.ip_local_port_range='1024 65535', several --source-address, or "
                                  "shards on machines of their own");
  if (limits.local_ports && needs.source_addresses > 1)
    check.found += fmt::format(" of {} source addresses", needs.source_addresses);
  if (limits.time_wait) check.found += fmt::format(" ({} held by TIME_WAIT)", *limits.time_wait);
  return check;
}

ReadinessCheck check_backlog(const HostLimits& limits, const LoadNeeds& needs) {
  if (!needs.is_local) return {Status::ok, "listen_backlog", "of the target's machine", "not known here", ""};
  const std::uint64_t burst = std::min<std::uint64_t>(needs.connections, 4096);
  return at_least("listen_backlog", limits.listen_backlog, burst,
                  fmt::format("sysctl -w net.core.somaxconn={}", burst));
}

ReadinessCheck check_clock(const HostLimits& limits) {
  constexpr std::array slow = {"hpet", "acpi_pm", "jiffies", "refined-jiffies", "pit"};
  if (limits.clock_source.empty())
    return {Status::unknown, "clock_source", "unknown", "one read without a system call", ""};
  const bool is_slow = std::find(slow.begin(), slow.end(), limits.clock_source) != slow.end();
  return {
      is_slow ? Status::short_of : Status::ok, "clock_source", limits.clock_source, "one read without a system call",
      is_slow ? "echo tsc > /sys/devices/system/clocksource/clocksource0/current_clocksource, if it is offered" : ""};
}

/// Requests of an open loop leave when a timer says so. The median is the kernel's doing, the tail that of other load.
ReadinessCheck check_timers(const HostLimits& limits) {
  constexpr double late_limit_us = 200;
  const std::string needed = fmt::format("1 ns, sleeps end ≤ {:g} ms late", late_limit_us / 1000);
  if (!limits.timer_slack_ns) return {Status::unknown, "timer_slack", "unknown", needed, ""};
  std::string found = fmt::format("{} ns", *limits.timer_slack_ns);
  if (const auto& late = limits.sleeps)
    found += fmt::format(", late by {:.2f} ms (p99 {:.2f})", late->p50 / 1000, late->p99 / 1000);
  if (*limits.timer_slack_ns > 1) {
    return {Status::short_of, "timer_slack", found, needed,
            "let the sandbox of this process allow prctl(PR_SET_TIMERSLACK): sends are late by up to the slack"};
  }
  const bool late = limits.sleeps && limits.sleeps->p50 > late_limit_us;
  return {late ? Status::short_of : Status::ok, "timer_slack", found, needed,
          late ? "a kernel with high-resolution timers (highres=on), and no other program on these cores" : ""};
}

ReadinessCheck check_cores(const HostLimits& limits, const LoadNeeds& needs) {
  const double cores = std::min<double>(limits.cores, limits.cpu_quota.value_or(limits.cores));
  const bool enough = cores >= needs.threads;
  const std::string found = limits.cpu_quota
                                ? fmt::format("{} cores, cgroup allows {:.2f}", limits.cores, *limits.cpu_quota)
                                : fmt::format("{} cores", limits.cores);
  // A quota is worse than few cores: the kernel stops the process for the rest of each period.
  const bool throttled = limits.cpu_quota && *limits.cpu_quota < limits.cores;
  return {enough && !throttled ? Status::ok : Status::short_of, "cpu", found,
          fmt::format("{} for the I/O threads, no quota below the cores", needs.threads),
          throttled ? "remove the CPU limit of the container: throttling looks like latency of the server"
          : enough  ? ""
                    : "fewer --threads, or a larger machine"};
}

ReadinessCheck check_governor(const HostLimits& limits) {
  if (limits.governor.empty() || limits.governor == "unknown")
    return {Status::unknown, "governor", "unknown", "performance", ""};
  const bool slow = limits.governor == "powersave" || limits.governor == "conservative";
  return {slow ? Status::short_of : Status::ok, "governor", limits.governor, "performance",
          slow ? "cpupower frequency-set -g performance" : ""};
}

ReadinessCheck check_steal(const HostLimits& limits) {
  if (!limits.steal_share) return {Status::unknown, "steal", "unknown", "≤ 1 %", ""};
  const bool much = *limits.steal_share > steal_limit;
  return {much ? Status::short_of : Status::ok, "steal", fmt::format("{:.2f} %", *limits.steal_share * 100), "≤ 1 %",
          much ? "other guests take time of this virtual machine: use one with cores of its own" : ""};
}

ReadinessCheck check_other_load(const HostLimits& limits) {
  if (!limits.load_average) return {Status::unknown, "other_load", "unknown", "", ""};
  const double share = *limits.load_average / std::max(1U, limits.cores);
  const bool busy = share > busy_share;
  return {busy ? Status::short_of : Status::ok, "other_load", fmt::format("{:.2f} per core", share),
          fmt::format("≤ {:g} per core", busy_share), busy ? "stop other programs on this machine" : ""};
}

bool is_loopback(const Target& target) {
  return !target.unix_path.empty() || target.host == "localhost" || target.host == "::1" ||
         target.host.starts_with("127.");
}

}  // namespace

LoadNeeds needs_of(const Scenario& scenario, std::uint32_t shards, nanoseconds answer_time) {
  double all = 0;
  if (const auto* closed = std::get_if<ClosedLoop>(&scenario.load)) {
    all = closed->concurrency;
  } else {
    all = std::get<OpenLoop>(scenario.load).rate * std::chrono::duration<double>(answer_time).count();
  }
  all = std::ceil(all / std::max(1U, shards));
  double weights = 0;
  std::map<std::string, double> by_target;
  LoadNeeds needs;
  for (const MixEntry& entry : scenario.mix) {
    weights += entry.weight;
    by_target[entry.target.url] += entry.weight;
    needs.is_local = needs.is_local || is_loopback(entry.target);
  }
  double busiest = 0;
  for (const auto& [url, weight] : by_target) busiest = std::max(busiest, weight);
  needs.all_connections = static_cast<std::uint64_t>(all);
  needs.connections = static_cast<std::uint64_t>(std::ceil(all * (weights > 0 ? busiest / weights : 1)));
  needs.threads = std::max(1U, scenario.threads);
  needs.source_addresses = std::max<std::size_t>(1, scenario.source_addresses.size());
  return needs;
}

std::vector<ReadinessCheck> check_readiness(const HostLimits& limits, const LoadNeeds& needs) {
  return {check_files(limits, needs), check_ports(limits, needs), check_backlog(limits, needs),
          check_cores(limits, needs), check_clock(limits),        check_timers(limits),
          check_governor(limits),     check_steal(limits),        check_other_load(limits)};
}

}  // namespace loadgen
