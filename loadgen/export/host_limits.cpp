// One small file after the other.
#include "loadgen/export/host_limits.hpp"

#include <sys/prctl.h>
#include <sys/resource.h>
#include <time.h>

#include <algorithm>
#include <fstream>
#include <sstream>
#include <thread>
#include <vector>

#include "loadgen/drive/clock.hpp"
#include "loadgen/export/host_facts.hpp"

namespace loadgen {
namespace {

namespace fs = std::filesystem;

std::string first_line(const fs::path& path) {
  std::ifstream file(path);
  std::string line;
  std::getline(file, line);
  return line;
}

std::optional<std::uint64_t> number_in(const fs::path& path) {
  std::istringstream text(first_line(path));
  std::uint64_t value = 0;
  return text >> value ? std::optional(value) : std::nullopt;
}

/// "32768	60999"
std::optional<std::uint64_t> port_range(const fs::path& path) {
  std::istringstream text(first_line(path));
  std::uint64_t first = 0, last = 0;
  if (!(text >> first >> last) || last < first) return std::nullopt;
  return last - first + 1;
}

/// "TCP: inuse 5 orphan 0 tw 12 alloc 6 mem 1"
std::optional<std::uint64_t> time_wait(const fs::path& path) {
  std::ifstream file(path);
  for (std::string line; std::getline(file, line);) {
    if (!line.starts_with("TCP:")) continue;
    std::istringstream words(line);
    for (std::string word; words >> word;) {
      std::uint64_t count = 0;
      if (word == "tw" && words >> count) return count;
    }
  }
  return std::nullopt;
}

/// cgroup v2 "50000 100000" or "max 100000"; v1 has the two in files of their own, -1 for no limit.
std::optional<double> cpu_quota(const fs::path& root) {
  const auto share = [](double quota, double period) {
    return quota > 0 && period > 0 ? std::optional(quota / period) : std::nullopt;
  };
  std::istringstream two(first_line(root / "sys/fs/cgroup/cpu.max"));
  double quota = 0, period = 0;
  if (two >> quota >> period) return share(quota, period);
  std::istringstream one(first_line(root / "sys/fs/cgroup/cpu/cpu.cfs_quota_us"));
  std::istringstream other(first_line(root / "sys/fs/cgroup/cpu/cpu.cfs_period_us"));
  return one >> quota && other >> period ? share(quota, period) : std::nullopt;
}

/// "cpu  user nice system idle iowait irq softirq steal ..."
std::optional<double> steal_share(const fs::path& path) {
  std::istringstream words(first_line(path));
  std::string name;
  words >> name;
  double total = 0, steal = 0, value = 0;
  for (int i = 0; i < 8; ++i) {
    if (!(words >> value)) return std::nullopt;
    total += value;
    if (i == 7) steal = value;
  }
  return total > 0 ? std::optional(steal / total) : std::nullopt;
}

std::optional<double> load_average(const fs::path& path) {
  std::istringstream words(first_line(path));
  double minute = 0;
  return words >> minute ? std::optional(minute) : std::nullopt;
}

/// The least timer slack that this thread gets, nanoseconds; it is left as it was.
std::optional<std::uint64_t> least_timer_slack_ns() {
  const int before = ::prctl(PR_GET_TIMERSLACK);
  if (before <= 0) return std::nullopt;
  ::prctl(PR_SET_TIMERSLACK, 1UL);
  const int least = ::prctl(PR_GET_TIMERSLACK);
  ::prctl(PR_SET_TIMERSLACK, static_cast<unsigned long>(before));
  return least > 0 ? std::optional(static_cast<std::uint64_t>(least)) : std::nullopt;
}

}  // namespace

SleepError time_sleeps() {
  constexpr std::size_t sleeps = 200;
  constexpr long length_ns = 1'000'000;
  std::vector<double> late_us;
  // On a thread of its own, whose slack nobody has to put back.
  std::thread([&late_us] {
    ::prctl(PR_SET_TIMERSLACK, 1UL);
    for (std::size_t i = 0; i < sleeps; ++i) {
      const std::int64_t due = monotonic_ns() + length_ns;
      const timespec at = to_timespec(due);
      ::clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &at, nullptr);
      late_us.push_back(static_cast<double>(monotonic_ns() - due) / 1000);
    }
  }).join();
  std::sort(late_us.begin(), late_us.end());
  return {late_us[sleeps / 2 - 1], late_us[sleeps * 99 / 100 - 1]};
}

HostLimits read_host_limits(const fs::path& root) {
  HostLimits limits;
  rlimit files{};
  if (::getrlimit(RLIMIT_NOFILE, &files) == 0) limits.open_files = files.rlim_cur;
  limits.local_ports = port_range(root / "proc/sys/net/ipv4/ip_local_port_range");
  limits.time_wait = time_wait(root / "proc/net/sockstat");
  limits.listen_backlog = number_in(root / "proc/sys/net/core/somaxconn");
  limits.cpu_quota = cpu_quota(root);
  limits.steal_share = steal_share(root / "proc/stat");
  limits.load_average = load_average(root / "proc/loadavg");
  limits.clock_source = first_line(root / "sys/devices/system/clocksource/clocksource0/current_clocksource");
  limits.governor = read_host_facts(root).governor;
  limits.timer_slack_ns = least_timer_slack_ns();
  limits.cores = std::max(1U, std::thread::hardware_concurrency());
  return limits;
}

}  // namespace loadgen
