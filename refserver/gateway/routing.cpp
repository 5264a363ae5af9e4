// One question after the other.
#include "refserver/gateway/routing.hpp"

#include <fmt/format.h>

#include "refserver/api/json_reader.hpp"

namespace refserver {
namespace {

std::string names_of(std::span<const Backend> backends) {
  std::string names;
  for (const Backend& backend : backends) names += (names.empty() ? "" : ", ") + backend.address.name;
  return names;
}

std::optional<Way::Kind> own_answer(std::string_view path) {
  if (path == "/" || path == "/health" || path == "/ping") return Way::Kind::health;
  if (path == "/metrics") return Way::Kind::metrics;
  if (path == "/v1/models") return Way::Kind::models;
  return std::nullopt;
}

/// "/qwen2/info?x" with a backend qwen2: that backend and "/info?x".
std::optional<Way> by_prefix(std::string_view target, std::span<const Backend> backends) {
  if (!target.starts_with('/')) return std::nullopt;
  const std::size_t end = target.find_first_of("/?", 1);
  const std::string_view first = target.substr(1, end == std::string_view::npos ? end : end - 1);
  for (std::size_t i = 0; i < backends.size(); ++i) {
    if (backends[i].address.name != first) continue;
    const std::string_view after = target.substr(first.size() + 1);
    std::string rest;
    if (!after.starts_with('/')) rest += '/';
    rest += after;
    return Way{Way::Kind::forward, i, std::move(rest)};
  }
  return std::nullopt;
}

/// The `model` or `model_id` of a body; empty where an object has none. Not an object, or not JSON: the error.
Result<std::string, Error> read_model(std::string_view body) {
  JsonReader json(body);
  std::string model;
  for (bool open = json.begin_object("a JSON object"); open && json.next_key();) {
    const bool is_model = json.key() == "model" || json.key() == "model_id";
    if (is_model && json.peek() == '"') {
      model = json.read_string();
    } else {
      json.skip_value();
    }
  }
  if (json.failed()) return json.error();
  return model;
}

}  // namespace

Error unknown_model(std::string_view name, std::span<const Backend> backends) {
  return {ErrorType::model_not_found, fmt::format("unknown model `{}`, expected one of: {}", name, names_of(backends))};
}

Result<Way, Error> find_way(const RequestLine& request, std::span<const Backend> backends) {
  const std::string_view path = request.target.substr(0, request.target.find('?'));
  const bool is_read = request.method == "GET" || request.method == "HEAD";
  if (request.method == "OPTIONS") return Way{Way::Kind::preflight};
  if (is_read && !request.model) {
    if (const auto own = own_answer(path)) return Way{*own};
  }
  if (auto way = by_prefix(request.target, backends)) return *std::move(way);
  if (request.method == "POST" && path == "/v1/generate") return Way{Way::Kind::scenario};

  const std::string target(request.target);
  if (request.model) {
    const std::size_t found = find_backend(backends, *request.model);
    if (found < backends.size()) return Way{Way::Kind::forward, found, target};
    return unknown_model(*request.model, backends);
  }
  if (backends.size() == 1) return Way{Way::Kind::forward, 0, target};
  std::string model;
  if (!is_read && !request.body.empty()) {
    auto read = read_model(request.body);
    if (!read) return read.error();
    model = *std::move(read);
    const std::size_t found = find_backend(backends, model);
    if (found < backends.size()) return Way{Way::Kind::forward, found, target};
    if (!model.empty()) return unknown_model(model, backends);
  }
  return Error{ErrorType::model_not_found,
               fmt::format("nothing says which model is meant: name it in the body (`model`), in the header "
                           "x-plumbline-model or before the path (/{}{}); there are: {}",
                           backends.front().address.name, path, names_of(backends))};
}

}  // namespace refserver
