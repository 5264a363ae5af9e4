// The floor of pacing: a loop over one timerfd that does nothing but read it, at Poisson instants. Prints one JSON
// object: how late it woke, microseconds.
#include <sys/prctl.h>
#include <sys/timerfd.h>

#include <random>

#include <peers/net.hpp>

int main(int argc, char** argv) {
  const peers::Flags flags(argc, argv);
  const double rate = static_cast<double>(flags.number("--rate", 2000));
  const double seconds = static_cast<double>(flags.number("--seconds", 5));
  ::prctl(PR_SET_TIMERSLACK, 1UL);
  std::mt19937_64 random(1);
  std::exponential_distribution<double> gap(rate);
  const int timer = ::timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC);
  std::vector<double> late_us;
  const double cpu_before = peers::cpu_seconds();
  const std::int64_t begin = peers::clock_ns() + 10'000'000;
  for (double at = 0; at < seconds; at += gap(random)) {
    const std::int64_t due = begin + static_cast<std::int64_t>(at * 1e9);
    if (due > peers::clock_ns()) {
      const itimerspec when{{0, 0}, {due / 1'000'000'000, due % 1'000'000'000}};
      peers::must(::timerfd_settime(timer, TFD_TIMER_ABSTIME, &when, nullptr) == 0, "timerfd_settime");
      std::uint64_t fired = 0;
      peers::must(::read(timer, &fired, sizeof fired) == sizeof fired, "read");
    }
    late_us.push_back(static_cast<double>(peers::clock_ns() - due) * 1e-3);
  }
  const double cpu = peers::cpu_seconds() - cpu_before;
  std::sort(late_us.begin(), late_us.end());
  const auto at_rank = [&](double q) {
    return late_us[static_cast<std::size_t>(q * static_cast<double>(late_us.size() - 1))];
  };
  std::printf("{\"wakes\":%zu,\"p50_us\":%.2f,\"p90_us\":%.2f,\"p99_us\":%.2f,\"max_us\":%.2f,\"cpu_s\":%.3f}\n",
              late_us.size(), at_rank(0.5), at_rank(0.9), at_rank(0.99), late_us.back(), cpu);
}
