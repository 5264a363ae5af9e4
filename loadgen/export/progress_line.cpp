#include "loadgen/export/progress_line.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace loadgen {
namespace {

constexpr double plain_every_s = 5;

std::string bar(double share) {
  constexpr int cells = 12;
  const int full = static_cast<int>(std::clamp(share, 0.0, 1.0) * cells + 0.5);
  std::string out;
  for (int i = 0; i < cells; ++i) out += i < full ? "━" : "╌";
  return out;
}

/// How much of the phase is over, where that is known.
std::optional<double> phase_share(const ProgressSnapshot& s) {
  if (s.phase == Phase::measure && s.planned_requests && *s.planned_requests > 0)
    return static_cast<double>(s.ok + s.failed) / static_cast<double>(*s.planned_requests);
  if (s.phase_total_s && *s.phase_total_s > 0) return s.phase_elapsed_s / *s.phase_total_s;
  return std::nullopt;
}

std::string percentiles(const char* name, const std::optional<double>& p50, const std::optional<double>& p99) {
  if (!p50) return "";
  return fmt::format("  {} p50 {:.0f}{}ms", name, *p50, p99 ? fmt::format(" p99 {:.0f} ", *p99) : " ");
}

}  // namespace

std::string render_progress_line(const ProgressSnapshot& s, ProgressStyle style) {
  std::string out;
  const double in_phase = std::floor(s.phase_elapsed_s);
  const std::string of_total = s.phase_total_s ? fmt::format("/{:.0f}", *s.phase_total_s) : "";
  if (style == ProgressStyle::bar) {
    const auto share = phase_share(s);
    out = fmt::format("{:<7} {}{:.0f}{} s", label(s.phase), share ? bar(*share) + " " : "", in_phase, of_total);
  } else {
    out = fmt::format("{:.0f} s: {} {:.0f}{} s", std::floor(s.elapsed_s), label(s.phase), in_phase, of_total);
  }
  out += fmt::format("  {} in flight  {:.1f} req/s", s.in_flight, s.achieved_rate);
  // Poisson arrivals of one second scatter around their rate; only a real shortfall is worth a word.
  if (s.offered_rate - s.achieved_rate > 0.05 * s.offered_rate + 3 * std::sqrt(s.offered_rate))
    out += fmt::format(" of {:.1f} due", s.offered_rate);
  out += fmt::format("  {:.0f} tok/s", s.tokens_rate);
  out += percentiles("e2e", s.e2e_p50_ms, s.e2e_p99_ms);
  out += percentiles("ttft", s.ttft_p50_ms, s.ttft_p99_ms);
  out += fmt::format("  {} ok", s.ok);
  if (s.failed > 0) out += fmt::format("  {} failed", s.failed);
  return out;
}

bool PlainCadence::is_due(const ProgressSnapshot& snapshot) noexcept {
  if (phase_ == snapshot.phase && snapshot.elapsed_s < next_s_) return false;
  phase_ = snapshot.phase;
  next_s_ = snapshot.elapsed_s + plain_every_s - 0.5;  // snapshots come about once a second, not to the millisecond
  return true;
}

}  // namespace loadgen
