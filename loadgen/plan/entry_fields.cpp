// Fields of a mix entry: where it goes, how it is asked, what it says.
#include "loadgen/plan/entry_fields.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <utility>

#include "loadgen/plan/default_prompts.hpp"
#include "loadgen/plan/prompts_file.hpp"
#include "loadgen/plan/target.hpp"
#include "loadgen/plan/text.hpp"

namespace loadgen {
namespace {

constexpr TextRange name_text{64, TextRange::Kind::name};
constexpr TextRange model_text{256, TextRange::Kind::line};
constexpr TextRange url_text{2000, TextRange::Kind::line};
constexpr std::size_t max_prompts = 10'000;
constexpr std::size_t max_headers = 64;
constexpr std::size_t max_header_value = 8192;

std::optional<Target> read_target(const ObjectReader& object) {
  const auto url = object.text("target", url_text);
  if (!url) return std::nullopt;
  auto target = parse_target(*url);
  if (target) return std::move(*target);
  object.fail("target", target.error());
  return std::nullopt;
}

std::optional<Route> read_route(const ObjectReader& object) {
  const auto at = object.word("route", {"tgi-stream", "tgi", "openai-chat", "openai-completions", "gateway"});
  if (!at) return std::nullopt;
  constexpr std::array routes = {Route::tgi_stream, Route::tgi, Route::openai_chat, Route::openai_completions,
                                 Route::gateway};
  return routes[*at];
}

std::string lower_case(std::string text) {
  for (char& c : text) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  return text;
}

/// What is wrong with a header, or empty. RFC 9110: a name is a token; a value is printable, without outer blanks.
std::string header_fault(const std::string& name, const Json& value) {
  // Set by the generator itself: giving one would send it twice or break the framing.
  constexpr std::array<std::string_view, 12> reserved = {"host",       "content-length", "transfer-encoding",
                                                         "connection", "content-type",   "accept",
                                                         "user-agent", "x-request-id",   "te",
                                                         "trailer",    "upgrade",        "expect"};
  const auto is_token = [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           std::string_view("!#$%&'*+-.^_`|~").find(c) != std::string_view::npos;
  };
  if (name.empty() || name.size() > 128 || !std::all_of(name.begin(), name.end(), is_token)) {
    return "is not a header name: letters, digits and '-', at most 128";
  }
  if (std::find(reserved.begin(), reserved.end(), lower_case(name)) != reserved.end())
    return "is set by the load generator itself; remove it";
  if (!value.is_string()) return fmt::format("must be text, is {}; put it in quotes", shown(value));
  const auto& text = value.get_ref<const std::string&>();
  if (text.size() > max_header_value) return fmt::format("is longer than {} bytes", max_header_value);
  const auto is_printable = [](char c) { return c >= 0x20 && c < 0x7f; };
  if (!std::all_of(text.begin(), text.end(), is_printable)) return "must be printable ASCII without line breaks";
  if (!text.empty() && (text.front() == ' ' || text.back() == ' ')) return "must not begin or end with a blank";
  return {};
}

/// The default headers with those of this object over them; names compare without case.
Headers read_headers(const ObjectReader& object, Headers headers) {
  const Json* const value = object.find("headers");
  if (value == nullptr) return headers;
  if (!value->is_object() || value->size() > max_headers) {
    object.fail("headers", fmt::format("must be a mapping of at most {} header names to values, is {}", max_headers,
                                       shown(*value)));
    return headers;
  }
  Headers own;
  for (const auto& [name, text] : value->items()) {
    const std::string fault = header_fault(name, text);
    const auto same = [&, key = lower_case(name)](const auto& header) { return lower_case(header.first) == key; };
    if (!fault.empty()) {
      object.fail("headers", fmt::format("'{}' {}", name.substr(0, 60), fault));
    } else if (std::any_of(own.begin(), own.end(), same)) {
      object.fail("headers", fmt::format("'{}' is given twice; case does not matter in header names", name));
    } else {
      std::erase_if(headers, same);
      own.emplace_back(name, text.get<std::string>());
    }
  }
  headers.insert(headers.end(), own.begin(), own.end());
  return headers;
}

Parameters read_parameters(const Document& document, const ObjectReader& object, Parameters parameters,
                           ScenarioErrors& errors) {
  if (object.find("parameters") == nullptr) return parameters;
  const ObjectReader reader(document, object.pointer("parameters"), errors,
                            {"max_new_tokens", "temperature", "top_p", "top_k", "seed", "stop"});
  if (const auto tokens = reader.integer("max_new_tokens", {1, 1'000'000}))
    parameters.max_new_tokens = static_cast<std::uint32_t>(*tokens);
  if (const auto value = reader.number("temperature", {0, 100})) parameters.temperature = value;
  if (const auto value = reader.number("top_p", {0, 1, NumberRange::Min::excluded})) parameters.top_p = value;
  if (const auto value = reader.integer("top_k", {1, 1'000'000})) parameters.top_k = value;
  if (const auto value = reader.integer("seed", {0, 9'007'199'254'740'991})) parameters.seed = value;
  if (auto value = reader.texts("stop", 16, {256, TextRange::Kind::free})) parameters.stop = std::move(*value);
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

std::vector<std::string> read_prompts(const ObjectReader& reader, const MixEntry& entry,
                                      const std::filesystem::path& folder) {
  if (reader.has("prompts") && reader.has("prompts_file")) {
    reader.fail("prompts_file", "excludes 'prompts'; keep one of them");
    return {};
  }
  if (reader.has("prompts"))
    return reader.texts("prompts", max_prompts, {1 << 20, TextRange::Kind::free}).value_or(std::vector<std::string>{});
  if (!reader.has("prompts_file")) return default_prompts(entry.scenario, entry.route);
  const auto file = reader.text("prompts_file", {1000, TextRange::Kind::line});
  if (!file) return {};
  auto prompts = read_prompts_file(folder, *file);
  if (prompts) return std::move(*prompts);
  reader.fail("prompts_file", prompts.error());
  return {};
}

/// What the route needs or cannot carry: found here rather than by every request failing, or silently not being said.
void check_route(const ObjectReader& reader, const MixEntry& entry) {
  if (entry.route == Route::gateway && entry.model.empty()) {
    reader.fail("model", "is missing: the gateway chooses the model by it");
  }
  const bool openai = entry.route == Route::openai_chat || entry.route == Route::openai_completions;
  if (openai && entry.parameters.top_k) {
    reader.fail("parameters",
                fmt::format("top_k cannot be sent on the route {}; give it to entries on other routes only",
                            label(entry.route)));
  }
}

}  // namespace

EntryDefaults read_entry_defaults(const Document& document, const ObjectReader& scenario, ScenarioErrors& errors) {
  EntryDefaults defaults;
  defaults.has_target = scenario.has("target");
  defaults.has_route = scenario.has("route");
  defaults.target = read_target(scenario);
  defaults.route = read_route(scenario);
  defaults.model = scenario.text("model", model_text).value_or("");
  defaults.headers = read_headers(scenario, {});
  defaults.parameters = read_parameters(document, scenario, {}, errors);
  return defaults;
}

MixEntry read_mix_entry(const Document& document, const std::string& pointer, const EntryDefaults& defaults,
                        const std::filesystem::path& folder, ScenarioErrors& errors) {
  const ObjectReader reader(document, pointer, errors,
                            {"name", "weight", "model", "scenario", "route", "stream", "target", "headers",
                             "parameters", "prompts", "prompts_file"});
  MixEntry entry;
  if (!reader.is_mapping()) return entry;
  entry.name = reader.text("name", name_text).value_or("");
  if (!reader.has("name")) reader.fail("", "needs a 'name', unique in the mix: results are kept under it");
  entry.weight = reader.number("weight", {0, 1e6, NumberRange::Min::excluded}).value_or(1.0);

  const auto target = reader.has("target") ? read_target(reader) : defaults.target;
  if (target) entry.target = *target;
  if (!reader.has("target") && !defaults.has_target) {
    reader.fail("target", "is missing: give one here, for the whole scenario, or with --target http://HOST:PORT");
  }
  const auto route = reader.has("route") ? read_route(reader) : defaults.route;
  if (route) entry.route = *route;
  if (!reader.has("route") && !defaults.has_route) {
    reader.fail(
        "route",
        "is missing here and for the whole scenario: one of tgi-stream, tgi, openai-chat, openai-completions, gateway");
  }
  entry.model = reader.has("model") ? reader.text("model", model_text).value_or("?") : defaults.model;
  constexpr std::array<const char*, 3> scenarios = {"qa", "summarize", "rewrite"};
  if (const auto at = reader.word("scenario", {"qa", "summarize", "rewrite"})) entry.scenario = scenarios[*at];
  entry.headers = read_headers(reader, defaults.headers);
  entry.parameters = read_parameters(document, reader, defaults.parameters, errors);
  if (route) {
    entry.delivery = read_delivery(reader, *route);
    check_route(reader, entry);
  }
  entry.prompts = read_prompts(reader, entry, folder);
  return entry;
}

}  // namespace loadgen
