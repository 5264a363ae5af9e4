// Flags to document fields, each remembering which flag it came from.
#include "loadgen/plan/scenario_flags.hpp"

#include <filesystem>
#include <utility>

#include "loadgen/plan/document.hpp"
#include "loadgen/plan/load_fields.hpp"
#include "loadgen/plan/scenario.hpp"
#include "loadgen/plan/text.hpp"

namespace loadgen {
namespace {

using Text = std::optional<std::string>;

/// Sets fields of a document from flags.
class FlagWriter {
 public:
  FlagWriter(Document& document, ScenarioErrors& errors) : document_(document), errors_(errors) {}

  void set(const std::string& pointer, const char* flag, Json value) {
    document_.root[Json::json_pointer(pointer)] = std::move(value);
    document_.origins[pointer] = {0, flag};
  }
  /// A number, a boolean or text, as an unquoted word in a file.
  void set_plain(const std::string& pointer, const char* flag, const Text& value) {
    if (value && is_clean(flag, *value)) set(pointer, flag, plain_or_text(*value));
  }
  /// Text whatever it looks like: a model may be called 7.
  void set_text(const std::string& pointer, const char* flag, const Text& value) {
    if (value && is_clean(flag, *value)) set(pointer, flag, *value);
  }
  /// Should the field be missing, this is the flag to give.
  void blame(const std::string& pointer, const char* flag) {
    document_.origins.try_emplace(pointer, Document::Origin{0, flag});
  }
  void fail(const char* flag, std::string message) { errors_.push_back({flag, 0, "", std::move(message)}); }
  bool is_clean(const char* flag, const std::string& value) {
    if (is_utf8(value)) return true;
    fail(flag, "is not UTF-8");
    return false;
  }

 private:
  static Json plain_or_text(const std::string& value) {
    Json plain = plain_value(value);
    return plain.is_null() ? Json(value) : plain;  // an empty flag is empty text, not an absent field
  }

  Document& document_;
  ScenarioErrors& errors_;
};

bool is_open(const Document& document) {
  const auto load = document.root.find("load");
  return load != document.root.end() && load->is_object() && load->value("mode", Json()) == Json("open");
}

/// Which of the flags that say how much load there is was given; more than one contradict each other.
struct AmountFlag {
  const Text ScenarioFlags::*value;
  const char* name;
  const char* mode;
  const char* field;
};
constexpr AmountFlag amount_flags[] = {
    {&ScenarioFlags::concurrency, "--concurrency", "closed", "concurrency"},
    {&ScenarioFlags::rate, "--rate", "open", "rate"},
    {&ScenarioFlags::concurrency_stages, "--concurrency-stages", "closed", "stages"},
    {&ScenarioFlags::rate_stages, "--rate-stages", "open", "stages"},
};

/// The load of another loop is replaced as a whole; of the same one what it says besides its height stays.
void write_amount(Document& document, const AmountFlag& amount, const Text& value, FlagWriter& writer) {
  const bool changes_loop = is_open(document) != (std::string_view(amount.mode) == "open");
  if (changes_loop || !document.root.contains("load")) {
    writer.set("/load", amount.name, Json{{"mode", amount.mode}});
  } else if (document.root["load"].is_object()) {
    for (const char* field : {"concurrency", "rate", "stages"}) document.root["load"].erase(field);
    writer.set("/load/mode", amount.name, amount.mode);
  }
  const std::string pointer = std::string("/load/") + amount.field;
  if (std::string_view(amount.field) != "stages") return writer.set_plain(pointer, amount.name, value);
  if (!writer.is_clean(amount.name, *value)) return;
  auto stages = stages_from_text(*value);
  writer.set(pointer, amount.name, stages ? std::move(*stages) : Json(*value));  // what is no stages is refused as text
}

void write_load(Document& document, const ScenarioFlags& flags, FlagWriter& writer) {
  const AmountFlag* given = nullptr;
  for (const AmountFlag& amount : amount_flags) {
    if (!(flags.*amount.value)) continue;
    if (given != nullptr)
      return writer.fail(amount.name,
                         std::string("excludes ") + given->name +
                             ": a load is either a rate or a number in flight, and either one height or stages");
    given = &amount;
  }
  if (given != nullptr) write_amount(document, *given, flags.*(given->value), writer);
  if ((flags.arrivals || flags.cv) && !is_open(document))
    return writer.fail(flags.arrivals ? "--arrivals" : "--cv", "needs a rate: give --rate as well");
  if (flags.think_time && is_open(document))
    return writer.fail("--think-time", "needs a closed loop: give --concurrency as well");
  writer.set_text("/load/arrivals", "--arrivals", flags.arrivals);
  if (flags.arrivals) writer.blame("/load/cv", "--cv");
  if (flags.cv && document.root["load"].is_object()) document.root["load"].erase("shape");
  writer.set_plain("/load/cv", "--cv", flags.cv);
  writer.set_text("/load/think_time", "--think-time", flags.think_time);
}

void write_length(Document& document, const ScenarioFlags& flags, FlagWriter& writer) {
  if (flags.duration && flags.requests) {
    return writer.fail("--requests", "excludes --duration: a run has a length in time or in requests");
  }
  if (flags.duration) document.root.erase("requests");
  if (flags.requests) document.root.erase("duration");
  writer.set_text("/duration", "--duration", flags.duration);
  writer.set_plain("/requests", "--requests", flags.requests);
}

/// In the defaults and in every entry that says otherwise.
void write_everywhere(Document& document, const std::string& parent, const std::string& key, const char* flag,
                      const Json& value, FlagWriter& writer) {
  const auto set_under = [&](const std::string& base, Json& holder, bool always) {
    if (!holder.is_object()) return;
    if (parent.empty()) {
      if (always || holder.contains(key)) writer.set(step(base, key), flag, value);
      return;
    }
    const auto inner = holder.find(parent);
    if (inner == holder.end() ? !always : !inner->is_object()) return;  // a wrong kind is reported when it is read
    if (always || inner->contains(key)) writer.set(step(step(base, parent), key), flag, value);
  };
  set_under("", document.root, true);
  const auto mix = document.root.find("mix");
  if (mix == document.root.end() || !mix->is_array()) return;
  for (std::size_t i = 0; i < mix->size(); ++i) set_under(step("/mix", i), (*mix)[i], false);
}

void write_gates(Document& document, const ScenarioFlags& flags, FlagWriter& writer) {
  if (flags.gates.empty()) return;
  if (!document.root.contains("gates")) document.root["gates"] = Json::array();
  if (!document.root["gates"].is_array()) return;
  for (const std::string& gate : flags.gates) {
    if (writer.is_clean("--gate", gate)) writer.set(step("/gates", document.root["gates"].size()), "--gate", gate);
  }
}

bool is_mapping_or_absent(const Document& document, const char* key) {
  const auto found = document.root.find(key);
  return found == document.root.end() || found->is_object();
}

/// Paths on a command line are relative to the working folder, those in a file to the file.
std::optional<std::string> absolute(const Text& path) {
  if (!path || path->empty()) return path;
  return std::filesystem::absolute(*path).string();
}

/// A header for every entry. Those of an entry of its own win, so the flag replaces them too; names have no case.
void write_header(Document& document, const char* flag, const std::string& text, FlagWriter& writer) {
  const std::size_t colon = text.find(':');
  if (colon == std::string::npos || colon == 0)
    return writer.fail(flag, "must be 'NAME: VALUE', as in --header 'authorization: Bearer ${env:API_KEY}'");
  const std::string name = text.substr(0, colon);
  const std::size_t begin = text.find_first_not_of(' ', colon + 1);
  const std::string value = begin == std::string::npos ? "" : text.substr(begin);
  const auto drop_from = [&](Json& holder) {
    if (!holder.is_object() || !holder.contains("headers") || !holder["headers"].is_object()) return;
    Json kept = Json::object();
    for (const auto& [key, other] : holder["headers"].items()) {
      if (lower_case(key) != lower_case(name)) kept[key] = other;
    }
    holder["headers"] = std::move(kept);
  };
  drop_from(document.root);
  if (const auto mix = document.root.find("mix"); mix != document.root.end() && mix->is_array()) {
    for (Json& entry : *mix) drop_from(entry);
  }
  if (is_mapping_or_absent(document, "headers")) writer.set(step("/headers", name), flag, value);
}

void write_api_key(Document& document, const NetworkFlags& flags, FlagWriter& writer) {
  constexpr const char* flag = "--api-key-file";
  if (!flags.api_key_file || !writer.is_clean(flag, *flags.api_key_file)) return;
  for (const std::string& header : flags.headers) {
    if (lower_case(header.substr(0, header.find(':'))) == "authorization")
      return writer.fail(flag, "excludes --header 'authorization: ...'; keep one of them");
  }
  if (flags.api_key_file->empty() || flags.api_key_file->find('}') != std::string::npos)
    return writer.fail(flag, "must be the path of a file, without '}' in it");
  write_header(document, flag, "authorization: Bearer ${file:" + *absolute(flags.api_key_file) + "}", writer);
}

Json split_at_commas(std::string_view text) {
  Json parts = Json::array();
  for (std::size_t comma = text.find(','); comma != std::string_view::npos; comma = text.find(',')) {
    parts.push_back(text.substr(0, comma));
    text.remove_prefix(comma + 1);
  }
  parts.push_back(text);
  return parts;
}

void write_network(Document& document, const NetworkFlags& flags, FlagWriter& writer) {
  for (const std::string& header : flags.headers) {
    if (writer.is_clean("--header", header)) write_header(document, "--header", header, writer);
  }
  write_api_key(document, flags, writer);
  if (flags.host && writer.is_clean("--host", *flags.host))
    write_everywhere(document, "", "host", "--host", *flags.host, writer);
  if (is_mapping_or_absent(document, "tls")) {
    writer.set_text("/tls/ca_file", "--ca-file", absolute(flags.ca_file));
    writer.set_text("/tls/certificate", "--client-cert", absolute(flags.client_certificate));
    writer.set_text("/tls/key", "--client-key", absolute(flags.client_key));
    if (flags.insecure) writer.set("/tls/insecure", "--insecure", true);
  }
  if (flags.no_proxy) writer.set("/proxy", "--no-proxy", "none");
  if (flags.source_address && writer.is_clean("--source-address", *flags.source_address))
    writer.set("/source_addresses", "--source-address", split_at_commas(*flags.source_address));
  if (flags.resolve.empty()) return;
  Json rules = Json::array();
  for (const std::string& rule : flags.resolve) {
    if (writer.is_clean("--resolve", rule)) rules.push_back(rule);
  }
  writer.set("/resolve", "--resolve", std::move(rules));
}

void write_observe(Document& document, const ObserveFlags& flags, FlagWriter& writer) {
  const auto observe = document.root.find("observe");
  if (observe != document.root.end() && !observe->is_object()) return;  // reported when it is read
  const bool has_gpu = observe != document.root.end() && observe->contains("gpu");
  if (!has_gpu || (*observe)["gpu"].is_object())
    writer.set_text("/observe/gpu/source", "--gpu-source", flags.gpu_source);
  if (flags.scrape.empty()) return;
  Json pages = Json::array();
  for (const std::string& page : flags.scrape) {
    if (writer.is_clean("--scrape", page)) pages.push_back(page);
  }
  writer.set("/observe/scrape", "--scrape", std::move(pages));
}

void write_common(Document& document, const ScenarioFlags& flags, FlagWriter& writer) {
  writer.set_text("/name", "--name", flags.name);
  if (flags.target && writer.is_clean("--target", *flags.target)) {
    write_everywhere(document, "", "target", "--target", *flags.target, writer);
  }
  if (flags.max_new_tokens && writer.is_clean("--max-new-tokens", *flags.max_new_tokens)) {
    write_everywhere(document, "parameters", "max_new_tokens", "--max-new-tokens", plain_value(*flags.max_new_tokens),
                     writer);
  }
  write_load(document, flags, writer);
  write_length(document, flags, writer);
  writer.set_text("/warmup", "--warmup", flags.warmup);
  writer.set_text("/drain_max", "--drain-max", flags.drain_max);
  write_network(document, flags.network, writer);
  if (is_mapping_or_absent(document, "timeouts")) {
    writer.set_text("/timeouts/total", "--timeout", flags.timeout);
    writer.set_text("/timeouts/connect", "--connect-timeout", flags.network.connect_timeout);
    writer.set_text("/timeouts/first_token", "--first-token-timeout", flags.network.first_token_timeout);
    writer.set_text("/timeouts/idle", "--idle-timeout", flags.idle_timeout);
  }
  writer.set_text("/tokenizer", "--tokenizer", absolute(flags.tokenizer));
  writer.set_plain("/seed", "--seed", flags.seed);
  writer.set_plain("/threads", "--threads", flags.threads);
  writer.set_text("/index_header", "--index-header", flags.index_header);
  write_observe(document, flags.observe, writer);
  write_gates(document, flags, writer);
}

}  // namespace

Document document_from_flags(const ScenarioFlags& flags, ScenarioErrors& errors) {
  Document document;
  document.source = "command line";
  FlagWriter writer(document, errors);
  const auto need = [&](const Text& value, const char* flag, const char* example) {
    if (!value) writer.fail(flag, std::string("is missing; without a scenario file it is needed, as in ") + example);
  };
  need(flags.target, "--target", "--target http://127.0.0.1:8080");
  if (!flags.endpoint) need(flags.route, "--route", "--route tgi-stream");
  const bool staged = flags.concurrency_stages || flags.rate_stages;
  if (!flags.concurrency && !flags.rate && !staged)
    writer.fail("--concurrency", "or --rate is missing: how much load?");
  if (!flags.duration && !flags.requests && !staged) writer.fail("--duration", "or --requests is missing: how long?");
  writer.set("/schema_version", "command line", 1);
  const auto route = route_from(flags.route.value_or(""));
  const std::string name = route ? label(*route) : "run";  // a wrong route is reported once, where it is read
  document.root["mix"] = Json::array({Json{{"name", name}}});
  writer.set_text("/mix/0/route", "--route", flags.route);
  writer.set_text("/mix/0/endpoint", "--endpoint", flags.endpoint);
  writer.set_text("/mix/0/model", "--model", flags.model);
  writer.set_text("/mix/0/scenario", "--scenario", flags.scenario);
  if (flags.stream) writer.set("/mix/0/stream", *flags.stream ? "--stream" : "--no-stream", *flags.stream);
  for (const std::string& prompt : flags.prompts) {
    if (!document.root["mix"][0].contains("prompts")) document.root["mix"][0]["prompts"] = Json::array();
    const std::size_t count = document.root["mix"][0]["prompts"].size();
    if (writer.is_clean("--prompt", prompt)) writer.set(step("/mix/0/prompts", count), "--prompt", prompt);
  }
  writer.set_plain("/mix/0/prompt_tokens", "--prompt-tokens", flags.prompt_tokens);
  document.root["name"] = name;
  write_common(document, flags, writer);
  return document;
}

void override_with_flags(Document& document, const ScenarioFlags& flags, ScenarioErrors& errors) {
  FlagWriter writer(document, errors);
  const auto refuse = [&](bool given, const char* flag) {
    if (given) writer.fail(flag, "does not go with a scenario file, whose entries name their own; edit the file");
  };
  refuse(flags.route.has_value(), "--route");
  refuse(flags.endpoint.has_value(), "--endpoint");
  refuse(flags.model.has_value(), "--model");
  refuse(flags.scenario.has_value(), "--scenario");
  refuse(flags.stream.has_value(), flags.stream.value_or(true) ? "--stream" : "--no-stream");
  refuse(!flags.prompts.empty(), "--prompt");
  refuse(flags.prompt_tokens.has_value(), "--prompt-tokens");
  write_common(document, flags, writer);
}

}  // namespace loadgen
