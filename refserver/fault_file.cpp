// A table of fields per rule; a field that means nothing to the rule's fault is an error, not a silence.
#include "refserver/fault_file.hpp"

#include <fmt/format.h>
#include <yaml-cpp/yaml.h>

#include <array>
#include <limits>
#include <stdexcept>

#include "refserver/config_values.hpp"
#include "refserver/duration.hpp"

namespace refserver {
namespace {

std::chrono::nanoseconds parse_positive_time(const std::string& text) {
  const auto time = parse_duration(text);
  if (time && time->count() > 0) return *time;
  throw BadValue(fmt::format("'{}' is not a duration above 0 such as 100ms or 1.5s (at most 1h)", text));
}

struct RuleField {
  std::string_view name;
  bool (*is_meant_for)(FaultKind kind);
  void (*apply)(FaultRule& rule, const std::string& value);
};

bool means_anything(FaultKind /*kind*/) {
  return true;
}
bool means_time(FaultKind kind) {
  return kind == FaultKind::stall || kind == FaultKind::slow_head;
}
bool means_retry(FaultKind kind) {
  return kind == FaultKind::status_429 || kind == FaultKind::status_503;
}
bool means_length(FaultKind kind) {
  return kind == FaultKind::wrong_content_length;
}

constexpr std::array kRuleFields = {
    RuleField{"model", means_anything, [](FaultRule& r, const std::string& v) { r.model = v; }},
    RuleField{"route", means_anything, [](FaultRule& r, const std::string& v) { r.route = v; }},
    RuleField{"key", means_anything, [](FaultRule& r, const std::string& v) { r.key = v; }},
    RuleField{"every", means_anything,
              [](FaultRule& r, const std::string& v) { r.every = parse_number<std::uint64_t>(v, 1, 1'000'000'000); }},
    RuleField{"probability", means_anything,
              [](FaultRule& r, const std::string& v) { r.probability = parse_number<double>(v, 0, 1); }},
    RuleField{"seed", means_anything,
              [](FaultRule& r, const std::string& v) {
                r.seed = parse_number<std::uint64_t>(v, 0, std::numeric_limits<std::uint64_t>::max());
              }},
    RuleField{"token", has_token,
              [](FaultRule& r, const std::string& v) {
                const std::uint32_t least = r.kind == FaultKind::stall ? 0 : 1;
                r.token = parse_number<std::uint32_t>(v, least, 10'000'000);
              }},
    RuleField{"time", means_time, [](FaultRule& r, const std::string& v) { r.time = parse_positive_time(v); }},
    RuleField{"retry_after", means_retry,
              [](FaultRule& r, const std::string& v) {
                r.retry_after_s =
                    static_cast<std::uint32_t>(std::chrono::ceil<std::chrono::seconds>(parse_positive_time(v)).count());
              }},
    RuleField{"length_error", means_length,
              [](FaultRule& r, const std::string& v) {
                r.length_error = parse_number<std::int32_t>(v, -1'000'000, 1'000'000);
                if (r.length_error == 0) throw BadValue("0 is no error; give a number of bytes, above or below 0");
              }},
};

class Reader {
 public:
  explicit Reader(const std::string& file) : file_(file) {}

  FaultPlan read() {
    const YAML::Node root = load();
    if (!root.IsMap()) fail(root, "", "expected a mapping with rules and health");
    FaultPlan plan;
    for (const auto& entry : root) {
      const std::string name = entry.first.IsScalar() ? entry.first.Scalar() : "";
      if (name == "rules") {
        read_rules(entry.second, plan);
      } else if (name == "health") {
        plan.health = read_health(entry.second);
      } else {
        fail(entry.first, name, "unknown field; there are rules, health");
      }
    }
    return plan;
  }

 private:
  [[noreturn]] void fail(const YAML::Node& at, const std::string& field, const std::string& why) const {
    throw std::runtime_error(
        fmt::format("{}:{}: {}{}", file_, at.Mark().line + 1, field.empty() ? "" : field + ": ", why));
  }

  YAML::Node load() const {
    try {
      return YAML::LoadFile(file_);
    } catch (const YAML::BadFile&) {
      throw std::runtime_error(fmt::format("{}: cannot be read", file_));
    } catch (const YAML::Exception& e) {
      throw std::runtime_error(fmt::format("{}:{}: {}", file_, e.mark.line + 1, e.msg));
    }
  }

  std::string scalar(const YAML::Node& node, const std::string& field) const {
    if (!node.IsScalar()) fail(node, field, "expected a single value");
    return node.Scalar();
  }

  void read_rules(const YAML::Node& node, FaultPlan& plan) const {
    if (!node.IsSequence()) fail(node, "rules", "expected a list");
    for (std::size_t i = 0; i < node.size(); ++i) plan.rules.push_back(read_rule(node[i], fmt::format("rules[{}]", i)));
  }

  FaultRule read_rule(const YAML::Node& node, const std::string& at) const {
    if (!node.IsMap()) fail(node, at, "expected a mapping with `fault` and what it applies to");
    FaultRule rule;
    rule.kind = read_kind(node, at);
    bool has_time = false;
    for (const auto& entry : node) {
      const std::string name = scalar(entry.first, at);
      if (name == "fault") continue;
      has_time = has_time || name == "time";
      read_rule_field(name, entry.second, fmt::format("{}.{}", at, name), rule);
    }
    if (means_time(rule.kind) && !has_time) fail(node, at, fmt::format("{} needs a `time`", label(rule.kind)));
    return rule;
  }

  FaultKind read_kind(const YAML::Node& rule, const std::string& at) const {
    const YAML::Node fault = rule["fault"];
    if (!fault) fail(rule, at, "has no `fault`; there are " + fault_kind_names());
    const std::string name = scalar(fault, at + ".fault");
    const auto kind = find_fault_kind(name);
    if (!kind) fail(fault, at + ".fault", fmt::format("'{}' is not a fault; there are {}", name, fault_kind_names()));
    return *kind;
  }

  void read_rule_field(const std::string& name, const YAML::Node& value, const std::string& at, FaultRule& rule) const {
    std::string known = "fault";
    for (const RuleField& field : kRuleFields) {
      if (!field.is_meant_for(rule.kind)) continue;
      known += fmt::format(", {}", field.name);
      if (field.name != name) continue;
      try {
        return field.apply(rule, scalar(value, at));
      } catch (const BadValue& e) {
        fail(value, at, e.what());
      }
    }
    fail(value, at, fmt::format("unknown field of {}; there are {}", label(rule.kind), known));
  }

  HealthFlap read_health(const YAML::Node& node) const {
    if (!node.IsMap()) fail(node, "health", "expected {up: TIME, down: TIME}");
    HealthFlap flap;
    for (const auto& entry : node) {
      const std::string name = scalar(entry.first, "health");
      if (name != "up" && name != "down") fail(entry.first, "health." + name, "unknown field; there are up, down");
      try {
        (name == "up" ? flap.up : flap.down) = parse_positive_time(scalar(entry.second, "health." + name));
      } catch (const BadValue& e) {
        fail(entry.second, "health." + name, e.what());
      }
    }
    if (flap.up.count() == 0 || flap.down.count() == 0) fail(node, "health", "needs both up and down");
    return flap;
  }

  const std::string& file_;
};

}  // namespace

FaultPlan read_fault_file(const std::string& file) {
  return Reader(file).read();
}

}  // namespace refserver
