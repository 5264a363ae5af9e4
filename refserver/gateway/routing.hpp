// Where a request goes: to a backend, or to what the gateway says itself. Pure.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "refserver/error.hpp"
#include "refserver/gateway/backend.hpp"
#include "refserver/result.hpp"

namespace refserver {

struct RequestLine {
  std::string_view method;
  std::string_view target;                  ///< path and query, as the client wrote it
  std::optional<std::string_view> model{};  ///< the header x-plumbline-model
  std::string_view body{};
};

struct Way {
  enum class Kind : std::uint8_t {
    health,
    metrics,
    models,
    preflight,
    scenario,  ///< /v1/generate: the body is read, written anew for TGI, and the answer likewise
    forward,   ///< as it is
  };
  Kind kind = Kind::forward;
  std::size_t backend = 0;  ///< for `forward`
  std::string target{};     ///< for `forward`: path and query for the backend
};

/// The first that fits: a path of the gateway's own; a path that begins with a backend's name, which is taken off; the
/// header x-plumbline-model; /v1/generate; `model` or `model_id` of a JSON body; the one backend there is. The error is
/// model_not_found and names the backends, or says what is wrong with the body that should have named one.
Result<Way, Error> find_way(const RequestLine& request, std::span<const Backend> backends);

/// "unknown model `x`, expected one of: qwen2, llama3"
Error unknown_model(std::string_view name, std::span<const Backend> backends);

}  // namespace refserver
