// The flags of `loadgen run` that say what a scenario says, and how they become or change a document. Values stay text
// here: they are judged by the same code as a file's.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "loadgen/plan/scenario_errors.hpp"

namespace loadgen {

struct Document;

/// How targets are reached; valid with a file and without.
struct NetworkFlags {
  std::optional<std::string> host, ca_file, client_certificate, client_key, connect_timeout, first_token_timeout;
  std::optional<std::string> source_address;  ///< A,B,...
  std::optional<std::string> api_key_file;    ///< its first line is sent as a bearer key
  std::vector<std::string> headers;           ///< NAME: VALUE
  std::vector<std::string> resolve;           ///< HOST:PORT:ADDRESS
  bool insecure = false;
  bool no_proxy = false;
};

/// What to look at besides the requests; valid with a file and without, whose values they replace.
struct ObserveFlags {
  std::optional<std::string> gpu_source;
  std::vector<std::string> scrape;
};

struct ScenarioFlags {
  NetworkFlags network;
  ObserveFlags observe;
  // Valid with a file too, whose values they replace.
  std::optional<std::string> rate_stages, concurrency_stages, cv, think_time, index_header;
  std::optional<std::string> name, target, concurrency, rate, arrivals, duration, requests, warmup, drain_max, timeout,
      idle_timeout, seed, threads, max_new_tokens, tokenizer;
  std::vector<std::string> gates;  ///< added to the file's
  // Only without a file.
  std::optional<std::string> route, endpoint, model, scenario, prompt_tokens;
  std::optional<bool> stream;
  std::vector<std::string> prompts;
};

/// The scenario that the flags alone describe: one mix entry.
Document document_from_flags(const ScenarioFlags& flags, ScenarioErrors& errors);

/// Replaces in `document` what the flags give: `target` and `max_new_tokens` in every entry, the whole of `load` when
/// the loop changes, `duration` for `requests` and the reverse.
void override_with_flags(Document& document, const ScenarioFlags& flags, ScenarioErrors& errors);

}  // namespace loadgen
