// One table of kinds; draws are hashes, so that the same key meets the same fate in every run.
#include "refserver/api/fault_plan.hpp"

#include <array>

namespace refserver {
namespace {

struct Kind {
  FaultKind kind;
  std::string_view label;
  FaultScope scope = FaultScope::any;
  bool has_token = false;
};

constexpr std::array kKinds = {
    Kind{FaultKind::status_429, "status_429"},
    Kind{FaultKind::status_503, "status_503"},
    Kind{FaultKind::reset_before_answer, "reset_before_answer"},
    Kind{FaultKind::reset_after_token, "reset_after_token", FaultScope::streams, true},
    Kind{FaultKind::reset_inside_event, "reset_inside_event", FaultScope::streams, true},
    Kind{FaultKind::half_close, "half_close", FaultScope::streams, true},
    Kind{FaultKind::stall, "stall", FaultScope::any, true},
    Kind{FaultKind::slow_head, "slow_head"},
    Kind{FaultKind::malformed_event, "malformed_event", FaultScope::streams, true},
    Kind{FaultKind::missing_token, "missing_token", FaultScope::streams, true},
    Kind{FaultKind::doubled_token, "doubled_token", FaultScope::streams, true},
    Kind{FaultKind::wrong_content_length, "wrong_content_length", FaultScope::whole_answers},
};

const Kind& facts_of(FaultKind kind) {
  return kKinds.at(static_cast<std::size_t>(kind));
}

/// splitmix64.
std::uint64_t mix(std::uint64_t x) {
  x += 0x9E3779B97F4A7C15U;
  x = (x ^ (x >> 30U)) * 0xBF58476D1CE4E5B9U;
  x = (x ^ (x >> 27U)) * 0x94D049BB133111EBU;
  return x ^ (x >> 31U);
}

/// FNV-1a.
std::uint64_t hash(std::string_view text) {
  std::uint64_t value = 0xCBF29CE484222325U;
  for (const char c : text) value = (value ^ static_cast<unsigned char>(c)) * 0x100000001B3U;
  return value;
}

double draw(const FaultRule& rule, const FaultSubject& subject) {
  const std::uint64_t who = subject.key.empty() ? subject.number : hash(subject.key);
  return static_cast<double>(mix(mix(rule.seed) ^ who) >> 11U) * 0x1p-53;
}

bool fits(const FaultRule& rule, const FaultSubject& subject) {
  const FaultScope scope = scope_of(rule.kind);
  if (scope == FaultScope::streams && !subject.is_stream) return false;
  if (scope == FaultScope::whole_answers && subject.is_stream) return false;
  if (has_token(rule.kind) && rule.token > 0 && !subject.is_stream) return false;  // no token has an event of its own
  return (rule.model.empty() || rule.model == subject.model) && (rule.route.empty() || rule.route == subject.route) &&
         (rule.key.empty() || rule.key == subject.key);
}

}  // namespace

std::string_view label(FaultKind kind) {
  return facts_of(kind).label;
}

std::optional<FaultKind> find_fault_kind(std::string_view label) {
  for (const Kind& kind : kKinds) {
    if (kind.label == label) return kind.kind;
  }
  return std::nullopt;
}

std::string fault_kind_names() {
  std::string names;
  for (const Kind& kind : kKinds) names += (names.empty() ? "" : ", ") + std::string(kind.label);
  return names;
}

FaultScope scope_of(FaultKind kind) {
  return facts_of(kind).scope;
}

bool has_token(FaultKind kind) {
  return facts_of(kind).has_token;
}

bool is_down(const HealthFlap& flap, std::chrono::nanoseconds elapsed) {
  return elapsed % (flap.up + flap.down) >= flap.up;
}

const FaultRule* FaultPicker::pick(const FaultSubject& subject) {
  for (std::size_t i = 0; i < plan_.rules.size(); ++i) {
    const FaultRule& rule = plan_.rules[i];
    if (!fits(rule, subject) || ++fitting_[i] % rule.every != 0) continue;
    if (rule.probability >= 1 || draw(rule, subject) < rule.probability) return &rule;
  }
  return nullptr;
}

}  // namespace refserver
