// Fields of a mix entry: where it goes, how it is asked, what it says.
#include "loadgen/plan/entry_fields.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <utility>

#include "loadgen/plan/endpoint_fields.hpp"
#include "loadgen/plan/header_fields.hpp"
#include "loadgen/plan/length_fields.hpp"
#include "loadgen/plan/pattern.hpp"
#include "loadgen/plan/target.hpp"
#include "loadgen/plan/text.hpp"

namespace loadgen {
namespace {

constexpr TextRange name_text{64, TextRange::Kind::name};
constexpr TextRange model_text{256, TextRange::Kind::line};
constexpr TextRange url_text{2000, TextRange::Kind::line};

std::optional<Target> read_target(const ObjectReader& object) {
  const auto url = object.text("target", url_text);
  if (!url) return std::nullopt;
  auto target = parse_target(*url);
  if (target) return std::move(*target);
  object.fail("target", target.error());
  return std::nullopt;
}

/// The name under which a server is addressed, whatever the target says.
void read_host(const ObjectReader& reader, const std::string& fallback, Target& target) {
  const std::string host =
      reader.has("host") ? reader.text("host", {300, TextRange::Kind::line}).value_or("") : fallback;
  if (host.empty()) return;
  const auto named = parse_target("http://" + host);
  if (!named || !named->base_path.empty())
    return reader.fail("host", "must be a host and perhaps a port, as in api.example or api.example:8443");
  target.authority = host;
  target.server_name = named->host;
}

std::optional<Route> read_route(const ObjectReader& object) {
  const auto at = object.word("route", {"tgi-stream", "tgi", "openai-chat", "openai-completions", "gateway"});
  if (!at) return std::nullopt;
  constexpr std::array routes = {Route::tgi_stream, Route::tgi, Route::openai_chat, Route::openai_completions,
                                 Route::gateway};
  return routes[*at];
}

/// One number for all requests, or a draw for each.
void read_max_new_tokens(const ObjectReader& reader, const std::filesystem::path& folder, Parameters& parameters) {
  auto draw = read_length(reader, "max_new_tokens", folder);
  if (!draw) return;
  parameters.max_new_tokens = mean_of(*draw);
  parameters.drawn_tokens = is_fixed(*draw) ? nullptr : std::make_shared<const LengthDraw>(std::move(*draw));
}

Parameters read_parameters(const Document& document, const ObjectReader& object, const std::filesystem::path& folder,
                           Parameters parameters, ScenarioErrors& errors) {
  if (object.find("parameters") == nullptr) return parameters;
  const ObjectReader reader(document, object.pointer("parameters"), errors,
                            {"max_new_tokens", "temperature", "top_p", "top_k", "seed", "stop", "min_tokens",
                             "ignore_eos", "continuous_usage"});
  read_max_new_tokens(reader, folder, parameters);
  if (const auto value = reader.number("temperature", {0, 100})) parameters.temperature = value;
  if (const auto value = reader.number("top_p", {0, 1, NumberRange::Min::excluded})) parameters.top_p = value;
  if (const auto value = reader.integer("top_k", {1, 1'000'000})) parameters.top_k = value;
  if (const auto value = reader.integer("seed", {0, 9'007'199'254'740'991})) parameters.seed = value;
  if (auto value = reader.texts("stop", 16, {256, TextRange::Kind::free})) parameters.stop = std::move(*value);
  if (const auto tokens = reader.integer("min_tokens", {1, 1'000'000}))
    parameters.min_tokens = static_cast<std::uint32_t>(*tokens);
  if (const auto value = reader.boolean("ignore_eos")) parameters.ignore_eos = *value;
  if (const auto value = reader.boolean("continuous_usage")) parameters.continuous_usage = *value;
  return parameters;
}

/// Whether the answer comes as events: the route decides where it can only do one, `stream` where it can do both.
Delivery read_delivery(const ObjectReader& entry, Route route) {
  const std::optional<bool> stream = entry.boolean("stream");
  if (route == Route::tgi_stream && stream == false) {
    entry.fail("stream", "contradicts the route: tgi-stream always streams; use the route tgi for whole answers");
  }
  if (route == Route::tgi && stream == true) {
    entry.fail("stream", "contradicts the route: tgi answers as a whole; use the route tgi-stream to stream");
  }
  const bool streams_by_itself = route != Route::tgi && route != Route::gateway;
  return stream.value_or(streams_by_itself) ? Delivery::stream : Delivery::whole;
}

/// Whether the answer of a template's endpoint comes as events.
Delivery read_template_delivery(const ObjectReader& reader, const EndpointTemplate& endpoint) {
  const std::optional<bool> stream = reader.boolean("stream");
  const bool can_stream = endpoint.framing != Framing::none;
  if (stream == true && !can_stream)
    reader.fail("stream", fmt::format("contradicts the endpoint '{}', whose answers are not streamed", endpoint.name));
  if (stream == false && can_stream && !endpoint.can_choose) {
    reader.fail("stream", fmt::format("contradicts the endpoint '{}', which always streams: its body has no {{stream}}",
                                      endpoint.name));
  }
  return stream.value_or(can_stream) ? Delivery::stream : Delivery::whole;
}

/// What the route needs or cannot carry: found here rather than by every request failing, or silently not being said.
void check_route(const ObjectReader& reader, const MixEntry& entry) {
  if (entry.route == Route::gateway && entry.model.empty()) {
    reader.fail("model", "is missing: the gateway chooses the model by it");
  }
  const auto forbid = [&](bool given, const char* name) {
    if (given)
      reader.fail("parameters",
                  fmt::format("{} cannot be sent on the route {}; give it to entries on other routes only", name,
                              label(entry.route)));
  };
  const Parameters& p = entry.parameters;
  const bool openai = entry.route == Route::openai_chat || entry.route == Route::openai_completions;
  forbid(openai && p.top_k.has_value(), "top_k");
  forbid(!openai && p.min_tokens.has_value(), "min_tokens");
  forbid(!openai && p.ignore_eos, "ignore_eos");
  forbid(!openai && p.continuous_usage, "continuous_usage");
  const std::uint32_t fewest = p.drawn_tokens ? smallest_of(*p.drawn_tokens) : p.max_new_tokens;
  if (p.min_tokens.value_or(0) > fewest)
    reader.fail("parameters", p.drawn_tokens ? "min_tokens is more than the smallest max_new_tokens that can be drawn"
                                             : "min_tokens is more than max_new_tokens");
}

/// What a template has no place for must not be asked for.
void check_template(const ObjectReader& reader, const MixEntry& entry) {
  const EndpointTemplate& endpoint = *entry.endpoint;
  const auto need = [&](bool given, const char* field, const char* placeholder) {
    if (given && endpoint.body.find(placeholder) == std::string::npos &&
        endpoint.path.find(placeholder) == std::string::npos) {
      reader.fail(field,
                  fmt::format("is given, but the endpoint '{}' has no {} to send it", endpoint.name, placeholder));
    }
  };
  const Parameters& p = entry.parameters;
  need(p.temperature.has_value(), "parameters", "{temperature}");
  need(p.top_p.has_value(), "parameters", "{top_p}");
  need(p.top_k.has_value(), "parameters", "{top_k}");
  need(p.seed.has_value(), "parameters", "{seed}");
  need(!p.stop.empty(), "parameters", "{stop}");
  need(p.min_tokens.has_value(), "parameters", "{min_tokens}");
  need(p.ignore_eos, "parameters", "{ignore_eos}");
  need(p.continuous_usage, "parameters", "{continuous_usage}");
  if (entry.model.empty() && (endpoint.body + endpoint.path).find("{model}") != std::string::npos)
    reader.fail("model", fmt::format("is missing: the endpoint '{}' sends it", endpoint.name));
}

/// A reason or a list of them.
std::vector<std::string> read_reasons(const ObjectReader& reader) {
  constexpr TextRange reason_text{64, TextRange::Kind::line};
  const Json* const value = reader.find("finish_reason");
  if (value == nullptr) return {};
  if (value->is_array()) return reader.texts("finish_reason", 16, reason_text).value_or(std::vector<std::string>{});
  const auto one = reader.text("finish_reason", reason_text);
  return one ? std::vector<std::string>{*one} : std::vector<std::string>{};
}

Expectation read_expectation(const Document& document, const ObjectReader& entry, ScenarioErrors& errors) {
  Expectation expect;
  if (!entry.has("expect") || entry.find("expect") == nullptr) return expect;
  const ObjectReader reader(document, entry.pointer("expect"), errors,
                            {"not_empty", "matches", "finish_reason", "model"});
  if (!reader.is_mapping()) return expect;
  expect.not_empty = reader.boolean("not_empty").value_or(false);
  if (const auto text = reader.text("matches", {1000, TextRange::Kind::free})) {
    auto pattern = Pattern::compile(*text);
    if (pattern)
      expect.matches = *pattern;
    else
      reader.fail("matches", pattern.error());
  }
  expect.finish_reasons = read_reasons(reader);
  expect.model = reader.text("model", model_text).value_or("");
  return expect;
}

/// Which protocol an entry speaks: its own endpoint or route before those of the whole scenario.
void read_protocol(const Document& document, const ObjectReader& reader, const EntryDefaults& defaults,
                   const std::filesystem::path& folder, ScenarioErrors& errors, MixEntry& entry) {
  if (reader.has("endpoint") && reader.has("route"))
    return reader.fail("endpoint", "excludes 'route': a server is described by one or the other, so drop one of them");
  const bool own_route = reader.has("route");
  const bool by_template = reader.has("endpoint") || (!own_route && defaults.has_endpoint);
  if (by_template) {
    entry.route = Route::custom;
    entry.endpoint = reader.has("endpoint") ? read_endpoint(document, reader, folder, errors) : defaults.endpoint;
    if (!entry.endpoint) return;
    entry.delivery = read_template_delivery(reader, *entry.endpoint);
    add_missing_headers(entry.headers, entry.endpoint->headers);
    return check_template(reader, entry);
  }
  const auto route = own_route ? read_route(reader) : defaults.route;
  if (!own_route && !defaults.has_route) {
    reader.fail("route",
                "is missing here and for the whole scenario: one of tgi-stream, tgi, openai-chat, openai-completions, "
                "gateway; or name an 'endpoint'");
  }
  if (!route) return;
  entry.route = *route;
  entry.delivery = read_delivery(reader, *route);
  check_route(reader, entry);
}

}  // namespace

EntryDefaults read_entry_defaults(const Document& document, const ObjectReader& scenario,
                                  const std::filesystem::path& folder, ScenarioErrors& errors) {
  EntryDefaults defaults;
  defaults.has_endpoint = scenario.has("endpoint");
  if (scenario.has("endpoint") && scenario.has("route"))
    scenario.fail("endpoint", "excludes 'route': entries without one of their own would not know which to take");
  if (defaults.has_endpoint) defaults.endpoint = read_endpoint(document, scenario, folder, errors);
  defaults.has_target = scenario.has("target");
  defaults.has_route = scenario.has("route");
  defaults.target = read_target(scenario);
  defaults.host = scenario.text("host", {300, TextRange::Kind::line}).value_or("");
  defaults.route = read_route(scenario);
  defaults.model = scenario.text("model", model_text).value_or("");
  defaults.tokenizer = scenario.text("tokenizer", {4096, TextRange::Kind::line}).value_or("");
  defaults.headers = read_headers(scenario, {});
  defaults.api_key = read_api_key(scenario);
  defaults.parameters = read_parameters(document, scenario, folder, {}, errors);
  return defaults;
}

MixEntry read_mix_entry(const Document& document, const std::string& pointer, const EntryDefaults& defaults,
                        const std::filesystem::path& folder, TokenizerShelf& shelf, ScenarioErrors& errors) {
  const ObjectReader reader(
      document, pointer, errors,
      {"name", "weight", "model", "scenario", "route", "endpoint", "stream", "target", "host", "headers", "parameters",
       "expect", "prompts", "prompts_file", "prompt_tokens", "tokenizer"});
  MixEntry entry;
  if (!reader.is_mapping()) return entry;
  entry.name = reader.text("name", name_text).value_or("");
  if (!reader.has("name")) reader.fail("", "needs a 'name', unique in the mix: results are kept under it");
  entry.weight = reader.number("weight", {0, 1e6, NumberRange::Min::excluded}).value_or(1.0);

  const auto target = reader.has("target") ? read_target(reader) : defaults.target;
  if (target) entry.target = *target;
  read_host(reader, defaults.host, entry.target);
  if (!reader.has("target") && !defaults.has_target) {
    reader.fail("target", "is missing: give one here, for the whole scenario, or with --target http://HOST:PORT");
  }
  entry.model = reader.has("model") ? reader.text("model", model_text).value_or("?") : defaults.model;
  constexpr std::array<const char*, 3> scenarios = {"qa", "summarize", "rewrite"};
  if (const auto at = reader.word("scenario", {"qa", "summarize", "rewrite"})) entry.scenario = scenarios[*at];
  entry.headers = read_headers(reader, defaults.headers);
  entry.parameters = read_parameters(document, reader, folder, defaults.parameters, errors);
  read_protocol(document, reader, defaults, folder, errors, entry);
  add_missing_headers(entry.headers, defaults.api_key);
  entry.expect = read_expectation(document, reader, errors);
  read_tokenizer(reader, defaults.tokenizer, shelf, entry);
  read_prompts(reader, folder, shelf, entry);
  return entry;
}

}  // namespace loadgen
