#include "loadgen/export/scenario_json.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "loadgen/export/json_numbers.hpp"
#include "loadgen/plan/endpoint_template.hpp"
#include "loadgen/plan/length_draw.hpp"
#include "loadgen/plan/made_prompts.hpp"

namespace loadgen {
namespace {

using Json = nlohmann::ordered_json;

/// With stages `concurrency` or `rate` is the highest of them.
Json load_json(const Load& load) {
  Json json;
  if (const auto* closed = std::get_if<ClosedLoop>(&load)) {
    json = {{"kind", "closed"}, {"concurrency", closed->concurrency}};
    if (!closed->think_time.is_zero()) json["think_time"] = draw_text(closed->think_time);
  } else {
    const auto& open = std::get<OpenLoop>(load);
    json = {{"kind", "open"}, {"rate", number(open.rate)}};
    if (open.arrivals == Arrivals::gamma) json["shape"] = number(open.shape);
  }
  for (const Stage& stage : stages_of(load))
    json["stages"].push_back(
        {{stage.shape == Stage::Shape::hold ? "at" : "to", number(stage.level)}, {"for_s", seconds(stage.length)}});
  return json;
}

Json max_new_tokens_json(const Parameters& parameters) {
  return parameters.drawn_tokens ? Json(draw_text(*parameters.drawn_tokens)) : Json(parameters.max_new_tokens);
}

Json parameters_json(const Parameters& parameters) {
  Json json = {{"max_new_tokens", max_new_tokens_json(parameters)}};
  if (parameters.temperature) json["temperature"] = *parameters.temperature;
  if (parameters.top_p) json["top_p"] = *parameters.top_p;
  if (parameters.top_k) json["top_k"] = *parameters.top_k;
  if (parameters.seed) json["seed"] = *parameters.seed;
  if (!parameters.stop.empty()) json["stop"] = parameters.stop;
  if (parameters.min_tokens) json["min_tokens"] = *parameters.min_tokens;
  if (parameters.ignore_eos) json["ignore_eos"] = true;
  return json;
}

Json entry_json(const MixEntry& entry, double total_weight) {
  Json header_names = Json::array();
  for (const auto& [name, value] : entry.headers) header_names.push_back(name);
  return {{"name", entry.name},
          {"share", number(entry.weight / total_weight)},
          {"target", entry.target.url},
          {"route", label(entry.route)},
          {"endpoint", entry.endpoint ? Json(entry.endpoint->name) : Json(nullptr)},
          {"delivery", entry.delivery == Delivery::stream ? "stream" : "whole"},
          {"model", entry.model},
          {"scenario", entry.scenario},
          {"headers", std::move(header_names)},
          {"parameters", parameters_json(entry.parameters)},
          {"prompts", entry.prompts.size()},
          {"prompt_tokens", entry.made ? Json(draw_text(entry.made->tokens)) : Json(nullptr)},
          {"tokenizer", entry.tokenizer.empty() ? Json(nullptr) : Json(entry.tokenizer)}};
}

/// How certificates were judged; null where no target speaks TLS.
Json tls_json(const Scenario& scenario) {
  const bool has_tls =
      std::any_of(scenario.mix.begin(), scenario.mix.end(), [](const MixEntry& entry) { return entry.target.is_tls; });
  if (!has_tls) return nullptr;
  return {{"verified", !scenario.tls.insecure},
          {"own_ca", !scenario.tls.ca_file.empty()},
          {"client_certificate", !scenario.tls.certificate.empty()}};
}

}  // namespace

Json scenario_document(const Scenario& scenario) {
  double total_weight = 0;
  for (const MixEntry& entry : scenario.mix) total_weight += entry.weight;
  Json mix = Json::array();
  for (const MixEntry& entry : scenario.mix) mix.push_back(entry_json(entry, total_weight));
  const auto* open = std::get_if<OpenLoop>(&scenario.load);
  const Length& length = scenario.length;
  return {{"name", scenario.name},
          {"source", scenario.source},
          {"load", load_json(scenario.load)},
          {"arrivals", open != nullptr ? Json(label(open->arrivals)) : Json(nullptr)},
          {"seed", scenario.seed},
          {"duration_s", length.duration ? Json(seconds(*length.duration)) : Json(nullptr)},
          {"requests", length.requests ? Json(*length.requests) : Json(nullptr)},
          {"warmup_s", scenario.warmup ? Json(seconds(*scenario.warmup)) : Json(nullptr)},
          {"drain_max_s", seconds(scenario.drain_max)},
          {"timeouts_s",
           {{"connect", seconds(scenario.timeouts.connect)},
            {"first_token", seconds(scenario.timeouts.first_token)},
            {"total", seconds(scenario.timeouts.total)},
            {"idle", scenario.timeouts.idle == nanoseconds::max() ? Json() : Json(seconds(scenario.timeouts.idle))}}},
          {"nonce", scenario.nonce},
          {"tls", tls_json(scenario)},
          {"index_header", scenario.index_header},
          {"source_addresses", scenario.source_addresses},
          {"mix", std::move(mix)}};
}

}  // namespace loadgen
