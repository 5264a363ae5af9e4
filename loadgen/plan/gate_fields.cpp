// Gates against the scenario around them.
#include "loadgen/plan/gate_fields.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "loadgen/plan/text.hpp"

namespace loadgen {
namespace {

constexpr std::size_t max_gates = 200;

bool needs_open_loop(Metric metric) {
  return metric == Metric::ttft_sched || metric == Metric::e2e_sched || metric == Metric::lateness;
}

bool needs_stream(Metric metric) {
  switch (metric) {
    case Metric::ttft:
    case Metric::ttft_sched:
    case Metric::ttfo:
    case Metric::tpot:
    case Metric::icl:
    case Metric::itl:
    case Metric::e2e_last_token:
    case Metric::ttst:
      return true;
    default:
      return false;
  }
}

std::string unknown_entry(const Gate& gate, const Scenario& scenario) {
  std::vector<std::string_view> names;
  for (const MixEntry& entry : scenario.mix) names.push_back(entry.name);
  return fmt::format("'{}': there is no mix entry '{}'{}", gate.text, gate.entry, did_you_mean(gate.entry, names));
}

/// Why `gate` could never be decided in this scenario, or empty.
std::string undecidable(const Gate& gate, const Scenario& scenario, LoadKnown load) {
  const auto covers = [&](const MixEntry& entry) { return gate.entry.empty() || entry.name == gate.entry; };
  if (std::none_of(scenario.mix.begin(), scenario.mix.end(), covers)) return unknown_entry(gate, scenario);
  const auto* term = std::get_if<LatencyTerm>(&gate.term);
  if (term == nullptr) return {};
  if (load == LoadKnown::yes && needs_open_loop(term->metric) && !is_open_loop(scenario)) {
    return fmt::format("'{}': {} has values in an open loop only (mode: open); in a closed loop gate {}", gate.text,
                       label(term->metric), term->metric == Metric::ttft_sched ? "ttft" : "e2e");
  }
  const auto streams = [&](const MixEntry& entry) { return covers(entry) && entry.delivery == Delivery::stream; };
  if (needs_stream(term->metric) && std::none_of(scenario.mix.begin(), scenario.mix.end(), streams)) {
    return fmt::format("'{}': {} has values only where answers are streamed, and no entry it covers streams", gate.text,
                       label(term->metric));
  }
  return {};
}

}  // namespace

std::vector<Gate> read_gates(const ObjectReader& reader, const Document& document, const Scenario& scenario,
                             LoadKnown load, ScenarioErrors& errors) {
  const Json* const list = reader.find("gates");
  if (list == nullptr) return {};
  if (!list->is_array() || list->size() > max_gates) {
    reader.fail("gates", fmt::format("must be a list of at most {} gates such as 'p99(e2e) < 1500ms', is {}", max_gates,
                                     shown(*list)));
    return {};
  }
  std::vector<Gate> gates;
  for (std::size_t i = 0; i < list->size(); ++i) {
    const auto refuse = [&](std::string message) {
      errors.push_back(document.error_at(step("/gates", i), std::move(message)));
    };
    const Json& value = (*list)[i];
    if (!value.is_string()) {
      refuse(fmt::format("must be text such as 'p99(e2e) < 1500ms', is {}", shown(value)));
      continue;
    }
    auto gate = parse_gate(value.get_ref<const std::string&>());
    if (!gate) {
      refuse(gate.error());
      continue;
    }
    std::string reason = scenario.mix.empty() ? "" : undecidable(*gate, scenario, load);
    if (!reason.empty()) refuse(std::move(reason));
    gates.push_back(std::move(*gate));
  }
  return gates;
}

}  // namespace loadgen
