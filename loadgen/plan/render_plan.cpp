// The lines that `loadgen check` prints.
#include "loadgen/plan/render_plan.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <iterator>
#include <optional>

#include "exporters/metrics/distribution.hpp"
#include "loadgen/plan/length_draw.hpp"
#include "loadgen/plan/level_profile.hpp"
#include "loadgen/plan/made_prompts.hpp"
#include "loadgen/plan/units.hpp"

namespace loadgen {
namespace {

using Out = std::back_insert_iterator<std::string>;

double seconds(nanoseconds duration) {
  return std::chrono::duration<double>(duration).count();
}

/// Measured requests, when the plan itself decides their number.
std::optional<double> expected_requests(const Scenario& scenario) {
  if (scenario.length.requests) return static_cast<double>(*scenario.length.requests);
  const auto* open = std::get_if<OpenLoop>(&scenario.load);
  if (open == nullptr || !scenario.length.duration) return std::nullopt;
  if (open->stages.empty()) return open->rate * seconds(*scenario.length.duration);
  const LevelProfile profile(open->stages);
  const std::int64_t begin = scenario.warmup.value_or(nanoseconds(0)).count();
  return profile.area_at(begin + scenario.length.duration->count()) - profile.area_at(begin);
}

std::string load_text(const Scenario& scenario) {
  const char* const highest = stages_of(scenario.load).empty() ? "" : "up to ";
  if (const auto* open = std::get_if<OpenLoop>(&scenario.load)) {
    std::string text =
        fmt::format("open loop, {}{:g} requests/s, {} arrivals", highest, open->rate, label(open->arrivals));
    if (open->arrivals == Arrivals::gamma)
      text += fmt::format(" (shape {:.4g}, CV {:.3g})", open->shape, 1 / std::sqrt(open->shape));
    return text;
  }
  const auto& closed = std::get<ClosedLoop>(scenario.load);
  std::string text = fmt::format("closed loop, {}{} in flight", highest, closed.concurrency);
  if (!closed.think_time.is_zero()) text += fmt::format(", think time {}", draw_text(closed.think_time));
  return text;
}

/// One line per stage, with the time at which it begins.
void write_stages(Out out, const Scenario& scenario) {
  nanoseconds begin{0};
  double before = 0;
  for (const Stage& stage : stages_of(scenario.load)) {
    const bool holds = stage.shape == Stage::Shape::hold;
    fmt::format_to(out, "    {:>10}  {}\n", duration_text(begin),
                   holds ? fmt::format("{:g} for {}", stage.level, duration_text(stage.length))
                         : fmt::format("{:g} to {:g} in {}", before, stage.level, duration_text(stage.length)));
    begin += stage.length;
    before = stage.level;
  }
  if (begin.count() > 0) fmt::format_to(out, "    {:>10}  {:g} until the end\n", duration_text(begin), before);
}

std::string window_text(const Scenario& scenario) {
  const std::string warmup = scenario.warmup ? duration_text(*scenario.warmup) : "until steady";
  const std::string length = scenario.length.duration ? duration_text(*scenario.length.duration)
                                                      : fmt::format("{} requests", *scenario.length.requests);
  return fmt::format("warm-up {}, measured {}, drain at most {}", warmup, length, duration_text(scenario.drain_max));
}

std::string requests_text(const Scenario& scenario) {
  if (scenario.length.requests) return fmt::format("{} measured", *scenario.length.requests);
  if (const auto expected = expected_requests(scenario)) return fmt::format("about {:.0f} measured", *expected);
  const double at_one_second = std::get<ClosedLoop>(scenario.load).concurrency * seconds(*scenario.length.duration);
  return fmt::format("as fast as answers come: {:.0f} measured if each takes 1s", at_one_second);
}

std::string tokens_text(const Parameters& parameters) {
  return parameters.drawn_tokens ? draw_text(*parameters.drawn_tokens) : std::to_string(parameters.max_new_tokens);
}

/// How many prompts there are, or how many tokens each is made up to.
std::string prompts_text(const MixEntry& entry) {
  return entry.made ? draw_text(entry.made->tokens) + " tokens" : std::to_string(entry.prompts.size());
}

void write_mix(Out out, const Scenario& scenario) {
  double total = 0;
  std::size_t name_width = 5, model_width = 5, tokens_width = 6, prompts_width = 7;
  for (const MixEntry& entry : scenario.mix) {
    total += entry.weight;
    name_width = std::max(name_width, entry.name.size());
    model_width = std::max(model_width, entry.model.size());
    tokens_width = std::max(tokens_width, tokens_text(entry.parameters).size());
    prompts_width = std::max(prompts_width, prompts_text(entry).size());
  }
  fmt::format_to(out, "\n  {:<{}}  {:>6}  {:<18}  {:<6}  {:<{}}  {:<9}  {:>{}}  {:>{}}  {}\n", "entry", name_width,
                 "share", "route", "answer", "model", model_width, "scenario", "tokens", tokens_width, "prompts",
                 prompts_width, "target");
  for (const MixEntry& entry : scenario.mix) {
    fmt::format_to(out, "  {:<{}}  {:>5.1f}%  {:<18}  {:<6}  {:<{}}  {:<9}  {:>{}}  {:>{}}  {}\n", entry.name,
                   name_width, 100 * entry.weight / total, label(entry.route),
                   entry.delivery == Delivery::stream ? "stream" : "whole", entry.model.empty() ? "-" : entry.model,
                   model_width, entry.scenario.empty() ? "-" : entry.scenario, tokens_text(entry.parameters),
                   tokens_width, prompts_text(entry), prompts_width, entry.target.url);
  }
}

/// Requests that the entry of a gate can expect.
std::optional<double> expected_for(const Gate& gate, const Scenario& scenario) {
  const auto expected = expected_requests(scenario);
  if (!expected || gate.entry.empty()) return expected;
  double total = 0, own = 0;
  for (const MixEntry& entry : scenario.mix) {
    total += entry.weight;
    if (entry.name == gate.entry) own += entry.weight;
  }
  return *expected * own / total;
}

/// Why a gate on a GPU or a server cannot be decided, or empty.
std::string source_note(const ObservedTerm& term, const Observe& observe) {
  if (is_about_gpu(term.metric))
    return observe.gpu == GpuSource::none ? "   (no --gpu-source: would be inconclusive)" : "";
  return observe.scrape.empty() ? "   (nothing to --scrape: would be inconclusive)" : "";
}

/// What is looked at besides the requests; empty: nothing.
std::string observed_text(const Observe& observe) {
  std::string text = observe.gpu == GpuSource::none ? "" : fmt::format("GPUs by {}", label(observe.gpu));
  for (const std::vector<MetricsPage>* pages : {&observe.gpu_pages, &observe.scrape})
    for (const MetricsPage& page : *pages) text += (text.empty() ? "" : ", ") + page.url;
  return text;
}

/// Why a gate will probably not be decided, or empty. Gaps come many to a request, so they are not judged here.
std::string floor_note(const Gate& gate, const Scenario& scenario) {
  if (const auto* observed = std::get_if<ObservedTerm>(&gate.term)) return source_note(*observed, scenario.observe);
  const auto* term = std::get_if<LatencyTerm>(&gate.term);
  if (term == nullptr || term->statistic != LatencyTerm::Statistic::percentile) return {};
  if (term->metric == Metric::icl || term->metric == Metric::itl) return {};
  const auto expected = expected_for(gate, scenario);
  const auto floor = static_cast<double>(exporters::percentile_floor(term->quantile));
  if (!expected || *expected >= floor) return {};
  return fmt::format("   (needs {:.0f} requests, expects about {:.0f}: would be inconclusive)", floor, *expected);
}

}  // namespace

std::string render_plan(const Scenario& scenario) {
  std::string text;
  const Out out = std::back_inserter(text);
  fmt::format_to(out, "{} ({})\n\n", scenario.name, scenario.source);
  fmt::format_to(out, "  load      {}\n  phases    {}\n  requests  {}\n", load_text(scenario), window_text(scenario),
                 requests_text(scenario));
  write_stages(out, scenario);
  const Timeouts& timeouts = scenario.timeouts;
  fmt::format_to(out, "  timeouts  connect {}, first token {}, total {}{}\n", duration_text(timeouts.connect),
                 duration_text(timeouts.first_token), duration_text(timeouts.total),
                 timeouts.idle == nanoseconds::max() ? "" : ", idle connections " + duration_text(timeouts.idle));
  fmt::format_to(out, "  seed      {}{}\n", scenario.seed,
                 scenario.nonce ? ", each prompt starts with a tag of its own" : ", prompts are sent as they are");
  if (const std::string looked_at = observed_text(scenario.observe); !looked_at.empty())
    fmt::format_to(out, "  looks at  {}\n", looked_at);
  write_mix(out, scenario);
  fmt::format_to(out, "\n  gates{}\n", scenario.gates.empty() ? "     none" : "");
  for (const Gate& gate : scenario.gates) fmt::format_to(out, "    {}{}\n", gate.text, floor_note(gate, scenario));
  return text;
}

}  // namespace loadgen
