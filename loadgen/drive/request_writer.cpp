// The request body of each route, and the one place where request heads are spelled.
#include "loadgen/drive/request_writer.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cctype>
#include <charconv>
#include <cstring>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>

#include "loadgen/plan/endpoint_template.hpp"
#include "loadgen/plan/made_prompts.hpp"

namespace loadgen {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::string_view prompt_mark = "\x01prompt\x01";
constexpr std::string_view tokens_mark = "\x01tokens\x01";  ///< where a drawn number goes

const char* path_of(const MixEntry& entry) noexcept {
  switch (entry.route) {
    case Route::tgi_stream:
      return "/generate_stream";
    case Route::tgi:
      return "/generate";
    case Route::openai_chat:
      return "/v1/chat/completions";
    case Route::openai_completions:
      return "/v1/completions";
    case Route::gateway:
      return "/v1/generate";
    case Route::custom:
      break;
  }
  return "/";
}

/// `text` as a part of a path: everything but unreserved characters in percent signs.
std::string percent_encoded(std::string_view text) {
  std::string out;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (std::isalnum(byte) != 0 || std::string_view("-._~").find(c) != std::string_view::npos) {
      out += c;
    } else {
      out += fmt::format("%{:02X}", byte);
    }
  }
  return out;
}

void replace_all(std::string& text, std::string_view what, std::string_view with) {
  for (std::size_t at = text.find(what); at != std::string::npos; at = text.find(what, at + with.size()))
    text.replace(at, what.size(), with);
}

std::string path_text(const MixEntry& entry) {
  if (entry.endpoint == nullptr) return path_of(entry);
  std::string path = entry.endpoint->path;
  replace_all(path, "{model}", percent_encoded(entry.model));
  return path;
}

template <class T>
void put(Json& object, const char* key, const std::optional<T>& value) {
  if (value) object[key] = *value;
}

Json max_tokens(const Parameters& parameters) {
  return parameters.drawn_tokens ? Json(tokens_mark) : Json(parameters.max_new_tokens);
}

Json tgi_body(const MixEntry& entry) {
  const Parameters& p = entry.parameters;
  Json parameters = {{"max_new_tokens", max_tokens(p)}, {"details", true}};
  put(parameters, "temperature", p.temperature);
  put(parameters, "top_p", p.top_p);
  put(parameters, "top_k", p.top_k);
  put(parameters, "seed", p.seed);
  if (p.temperature || p.top_p || p.top_k) parameters["do_sample"] = true;
  if (!p.stop.empty()) parameters["stop"] = p.stop;
  Json body = {{"inputs", prompt_mark}, {"parameters", std::move(parameters)}};
  if (!entry.model.empty()) body["model_id"] = entry.model;
  return body;
}

Json openai_body(const MixEntry& entry) {
  const Parameters& p = entry.parameters;
  Json body = Json::object();
  if (!entry.model.empty()) body["model"] = entry.model;
  if (entry.route == Route::openai_chat) {
    body["messages"] = Json::array({{{"role", "user"}, {"content", prompt_mark}}});
  } else {
    body["prompt"] = prompt_mark;
  }
  body["max_tokens"] = max_tokens(p);
  put(body, "temperature", p.temperature);
  put(body, "top_p", p.top_p);
  put(body, "seed", p.seed);
  if (!p.stop.empty()) body["stop"] = p.stop;
  put(body, "min_tokens", p.min_tokens);
  if (p.ignore_eos) body["ignore_eos"] = true;
  body["stream"] = entry.delivery == Delivery::stream;
  if (entry.delivery == Delivery::stream) {
    body["stream_options"] = {{"include_usage", true}};
    if (p.continuous_usage) body["stream_options"]["continuous_usage_stats"] = true;
  }
  return body;
}

Json gateway_body(const MixEntry& entry) {
  const Parameters& p = entry.parameters;
  Json body = Json::object();
  if (!entry.model.empty()) body["model_id"] = entry.model;
  if (!entry.scenario.empty()) body["scenario"] = entry.scenario;
  body["inputs"] = prompt_mark;
  Json parameters = {{"max_new_tokens", max_tokens(p)}};
  put(parameters, "temperature", p.temperature);
  put(parameters, "top_p", p.top_p);
  put(parameters, "top_k", p.top_k);
  put(parameters, "seed", p.seed);
  if (!p.stop.empty()) parameters["stop"] = p.stop;
  body["parameters"] = std::move(parameters);
  body["stream"] = entry.delivery == Delivery::stream;
  return body;
}

/// What stands for each placeholder of a template; null: nothing, and whatever holds it alone is left out.
using Values = std::map<std::string, Json>;

Values template_values(const MixEntry& entry) {
  const Parameters& p = entry.parameters;
  Json some = Json::object();
  put(some, "temperature", p.temperature);
  put(some, "top_p", p.top_p);
  put(some, "top_k", p.top_k);
  put(some, "seed", p.seed);
  put(some, "min_tokens", p.min_tokens);
  if (p.ignore_eos) some["ignore_eos"] = true;
  if (!p.stop.empty()) some["stop"] = p.stop;
  if (!entry.model.empty()) some["model"] = entry.model;
  if (!entry.scenario.empty()) some["scenario"] = entry.scenario;
  some["prompt"] = prompt_mark;
  some["max_tokens"] = max_tokens(p);
  some["stream"] = entry.delivery == Delivery::stream;
  Values values;
  for (const std::string& name : placeholder_names()) values["{" + name + "}"] = some.value(name, Json());
  return values;
}

/// A template's value with everything in its place; nothing if it is a placeholder that stands for nothing. A text that
/// is a placeholder and nothing else becomes the value itself, with its type.
std::optional<Json> filled(const Json& value, const Values& values) {
  if (value.is_string()) {
    std::string text = value.get<std::string>();
    const auto whole = values.find(text);
    if (whole != values.end()) return whole->second.is_null() ? std::nullopt : std::optional<Json>(whole->second);
    for (const auto& [name, with] : values)
      replace_all(text, name,
                  with.is_string() ? with.get_ref<const std::string&>()
                  : with.is_null() ? ""
                                   : with.dump());
    return Json(text);
  }
  Json out = value;
  if (value.is_object()) {
    out = Json::object();
    for (const auto& [key, item] : value.items()) {
      if (auto inner = filled(item, values)) out[key] = std::move(*inner);
    }
  } else if (value.is_array()) {
    out = Json::array();
    for (const Json& item : value) {
      if (auto inner = filled(item, values)) out.push_back(std::move(*inner));
    }
  }
  return out;
}

std::string template_body(const MixEntry& entry) {
  return filled(Json::parse(entry.endpoint->body), template_values(entry))->dump();
}

std::string body_text(const MixEntry& entry) {
  switch (entry.route) {
    case Route::tgi_stream:
    case Route::tgi:
      return tgi_body(entry).dump();
    case Route::openai_chat:
    case Route::openai_completions:
      return openai_body(entry).dump();
    case Route::gateway:
      return gateway_body(entry).dump();
    case Route::custom:
      return template_body(entry);
  }
  return {};
}

/// The JSON spelling of `text` without its quotes. Bad UTF-8 is replaced: the scenario parser has refused it before.
std::string escaped(const std::string& text) {
  const std::string quoted = Json(text).dump(-1, ' ', false, Json::error_handler_t::replace);
  return quoted.substr(1, quoted.size() - 2);
}

constexpr std::size_t nonce_length = 19;
constexpr std::string_view length_field = "\r\ncontent-length: ";
constexpr std::string_view end_of_head = "\r\n\r\n";

/// Eight hex digits, all at once: each four bits get a byte of their own, and those above nine become letters.
char* put_hex(char* at, std::uint32_t value) noexcept {
  std::uint64_t x = value;
  x = (x | x << 16) & 0x0000ffff0000ffffU;
  x = (x | x << 8) & 0x00ff00ff00ff00ffU;
  x = (x | x << 4) & 0x0f0f0f0f0f0f0f0fU;
  const std::uint64_t is_letter = ((x + 0x0606060606060606U) >> 4) & 0x0101010101010101U;
  x += 0x3030303030303030U + is_letter * ('a' - '0' - 10);
  if constexpr (std::endian::native == std::endian::little) x = __builtin_bswap64(x);
  std::memcpy(at, &x, sizeof x);
  return at + sizeof x;
}

/// As Plan::prompt_text spells it; hex digits need no escaping.
char* put_nonce(char* at, std::uint64_t nonce) noexcept {
  *at = '[';
  at = put_hex(put_hex(at + 1, static_cast<std::uint32_t>(nonce >> 32)), static_cast<std::uint32_t>(nonce));
  std::memcpy(at, "] ", 2);
  return at + 2;
}

constexpr std::size_t longest_number = 20;

char* put_number(char* at, std::uint64_t number) noexcept {
  return std::to_chars(at, at + longest_number, number).ptr;
}

char* put_text(char* at, std::string_view text) noexcept {
  std::memcpy(at, text.data(), text.size());
  return at + text.size();
}

/// What a proxy without a tunnel wants before the path.
std::string absolute_form(const Target& target) {
  return target.proxy && !target.is_tls ? "http://" + target.authority : "";
}

std::string head_text(const MixEntry& entry, const std::string& run_id) {
  const bool is_stream = entry.delivery == Delivery::stream;
  const bool is_ndjson = entry.endpoint != nullptr && entry.endpoint->framing == Framing::ndjson;
  std::string head = fmt::format(
      "{} {}{}{} HTTP/1.1\r\nhost: {}\r\nuser-agent: plumbline\r\naccept: {}\r\n"
      "content-type: application/json\r\n",
      entry.endpoint != nullptr ? entry.endpoint->method : "POST", absolute_form(entry.target), entry.target.base_path,
      path_text(entry), entry.target.authority,
      !is_stream  ? "application/json"
      : is_ndjson ? "application/x-ndjson, application/json"
                  : "text/event-stream");
  if (entry.target.proxy && !entry.target.is_tls && !entry.target.proxy->authorization.empty())
    head += fmt::format("proxy-authorization: {}\r\n", entry.target.proxy->authorization);
  for (const auto& [name, value] : entry.headers) head += fmt::format("{}: {}\r\n", name, value);
  return head + "x-request-id: " + run_id + "-";
}

}  // namespace

RequestWriter::RequestWriter(const Plan& plan, const std::string& run_id) : plan_(plan) {
  if (!plan.scenario().index_header.empty()) index_header_ = "\r\n" + plan.scenario().index_header + ": ";
  for (const MixEntry& entry : plan.scenario().mix) {
    Template prepared{head_text(entry, run_id), cut(body_text(entry)), 0, {}, {}};
    for (const Piece& piece : prepared.body) prepared.body_bytes += piece.text.size();
    const bool is_drawn = entry.made != nullptr || entry.parameters.drawn_tokens != nullptr;
    for (const std::string& prompt : entry.prompts) {
      if (is_drawn) {
        prepared.prompts.push_back(escaped(prompt));
      } else {
        prepared.ready.push_back(make_ready(prepared, escaped(prompt), plan.scenario().nonce));
      }
    }
    templates_.push_back(std::move(prepared));
  }
}

/// In quotes the mark of a number stands for itself, inside of a longer text for its digits.
std::vector<RequestWriter::Piece> RequestWriter::cut(std::string body) {
  const std::string prompt = escaped(std::string(prompt_mark));
  const std::string tokens = escaped(std::string(tokens_mark));
  replace_all(body, '"' + tokens + '"', tokens);
  std::vector<Piece> pieces;
  std::string_view rest = body;
  while (true) {
    const std::size_t to_prompt = rest.find(prompt), to_tokens = rest.find(tokens);
    const std::size_t end = std::min(to_prompt, to_tokens);
    if (end == std::string_view::npos) break;
    const bool is_prompt = end == to_prompt;
    pieces.push_back({std::string(rest.substr(0, end)), is_prompt ? Piece::Next::prompt : Piece::Next::tokens});
    rest.remove_prefix(end + (is_prompt ? prompt : tokens).size());
  }
  pieces.push_back({std::string(rest), Piece::Next::end});
  return pieces;
}

RequestWriter::Ready RequestWriter::make_ready(const Template& made, const std::string& prompt, bool nonce) {
  const std::string before(nonce ? nonce_length : 0, ' ');
  std::string body;
  std::vector<std::size_t> nonces;
  for (const Piece& piece : made.body) {
    body += piece.text;
    if (piece.next != Piece::Next::prompt) continue;
    if (nonce) nonces.push_back(body.size());
    body += before + prompt;
  }
  const std::string head = fmt::format("{}{}{}", length_field, body.size(), end_of_head);
  for (std::size_t& at : nonces) at += head.size();
  return {head + body, std::move(nonces)};
}

/// Once per request on the sending thread, so without a general formatter.
void RequestWriter::write(const PlannedRequest& request, std::string& out) const {
  const Template& made = templates_[request.entry];
  made.ready.empty() ? write_drawn(made, request, out) : write_ready(made, request, out);
}

void RequestWriter::write_ready(const Template& made, const PlannedRequest& request, std::string& out) const {
  const Ready& ready = made.ready[request.prompt];
  char number[longest_number];
  const std::string_view index(number, static_cast<std::size_t>(put_number(number, request.index) - number));
  const std::size_t repeated = index_header_.empty() ? 0 : index_header_.size() + index.size();
  out.resize(made.head.size() + index.size() + repeated + ready.rest.size());
  char* at = put_text(put_text(out.data(), made.head), index);
  if (repeated > 0) at = put_text(put_text(at, index_header_), index);
  put_text(at, ready.rest);
  for (const std::size_t nonce : ready.nonces) put_nonce(at + nonce, request.nonce);
}

void RequestWriter::write_drawn(const Template& t, const PlannedRequest& request, std::string& out) const {
  const MadePrompts* const made = plan_.scenario().mix[request.entry].made.get();
  const std::string_view given = made != nullptr ? std::string_view() : t.prompts[request.prompt];
  const bool nonce = made == nullptr && plan_.scenario().nonce;
  const std::uint64_t seed = plan_.scenario().seed, words = plan_.words_index(request);
  const std::size_t prompt_bytes = made != nullptr ? made->words->bytes(seed, words, request.prompt_tokens)
                                                   : (nonce ? nonce_length : 0) + given.size();
  char digits[10];
  const std::string_view tokens(digits, std::to_chars(digits, digits + sizeof digits, request.tokens).ptr);
  std::size_t length = t.body_bytes;
  for (const Piece& piece : t.body) {
    if (piece.next == Piece::Next::prompt) length += prompt_bytes;
    if (piece.next == Piece::Next::tokens) length += tokens.size();
  }
  out.resize(t.head.size() + index_header_.size() + length_field.size() + end_of_head.size() + 3 * longest_number +
             length);
  char* at = put_number(put_text(out.data(), t.head), request.index);
  if (!index_header_.empty()) at = put_number(put_text(at, index_header_), request.index);
  at = put_text(put_number(put_text(at, length_field), length), end_of_head);
  for (const Piece& piece : t.body) {
    at = put_text(at, piece.text);
    if (piece.next == Piece::Next::tokens) at = put_text(at, tokens);
    if (piece.next != Piece::Next::prompt) continue;
    if (nonce) at = put_nonce(at, request.nonce);
    at = made != nullptr ? made->words->write(seed, words, request.prompt_tokens, at) : put_text(at, given);
  }
  out.resize(static_cast<std::size_t>(at - out.data()));
}

}  // namespace loadgen
