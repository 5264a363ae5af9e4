// Each answer goes through the same readers as a load test's; a probe that passes means a run will understand the
// server.
#include "loadgen/probe.hpp"

#include <fmt/format.h>

#include <array>

#include "loadgen/drive/single_request.hpp"
#include "loadgen/drive/targets.hpp"
#include "loadgen/plan/default_prompts.hpp"

namespace loadgen {
namespace {

constexpr std::uint32_t probe_tokens = 16;
constexpr std::array routes = {Route::tgi_stream, Route::tgi, Route::openai_chat, Route::openai_completions,
                               Route::gateway};

MixEntry make_entry(const ProbeCommand& command, Route route, const std::string& model, const std::string& scenario) {
  MixEntry entry;
  entry.name = fmt::format("{}-{}-{}", label(route), model, scenario);
  entry.target = command.scenario.mix.front().target;
  entry.headers = command.scenario.mix.front().headers;
  entry.route = route;
  entry.delivery = route == Route::tgi || route == Route::gateway ? Delivery::whole : Delivery::stream;
  entry.model = model;
  entry.scenario = scenario;
  entry.parameters.max_new_tokens = probe_tokens;
  entry.prompts = default_prompts(scenario, route);
  return entry;
}

/// What is wrong with the answer; empty if nothing is.
std::string complaint(const RequestRecord& record) {
  if (record.outcome != Outcome::ok) return fmt::format("{}: {}", label(record.outcome), record.error);
  if (record.token_source == TokenSource::none) return "the answer does not say how many tokens it has";
  if (record.streamed && record.events.size() == 1 && record.output_tokens > 1)
    return "not streamed: all tokens in one event";
  if (record.output_tokens > record.requested_tokens) {
    return fmt::format("{} tokens, more than the {} asked for", record.output_tokens, record.requested_tokens);
  }
  return {};
}

std::string milliseconds(std::int64_t from, std::int64_t to) {
  return to == 0 ? "-" : fmt::format("{:.1f}", static_cast<double>(to - from) * 1e-6);
}

}  // namespace

ExitCode run_probe(const ProbeCommand& command) {
  const auto address = preflight(command.scenario, command.scenario.mix.front().target);
  if (!address) {
    fmt::print(stderr, "loadgen: {}\n", address.error());
    return ExitCode::unreachable;
  }
  fmt::print("{:<19} {:<8} {:<10} {:>6} {:>9} {:>9} {:>7}  {}\n", "route", "model", "scenario", "status", "TTFT ms",
             "E2E ms", "tokens", "answer");
  unsigned wrong = 0;
  unsigned all = 0;
  for (const Route route : routes) {
    for (const std::string& model : command.models) {
      for (const std::string& scenario : command.scenarios) {
        const MixEntry entry = make_entry(command, route, model, scenario);
        const RequestRecord record =
            send_single_request(entry, *address, command.scenario.timeouts, command.scenario.source_addresses);
        const std::string why = complaint(record);
        const Stamps& t = record.stamps;
        fmt::print("{:<19} {:<8} {:<10} {:>6} {:>9} {:>9} {:>7}  {}\n", label(route), model, scenario,
                   record.http_status, milliseconds(t.send, t.first_token), milliseconds(t.send, t.end),
                   record.output_tokens, why.empty() ? "ok" : why);
        ++all;
        wrong += why.empty() ? 0 : 1;
      }
    }
  }
  fmt::print("\n{} of {} answers are right\n", all - wrong, all);
  return wrong == 0 ? ExitCode::pass : ExitCode::gate_failed;
}

}  // namespace loadgen
