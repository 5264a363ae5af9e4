// One server behind the gateway: where it is, what it is called, and how it stands right now. Plain values.
#pragma once

#include <boost/asio/ip/tcp.hpp>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "refserver/result.hpp"

namespace refserver {

class ChatTemplate;

struct BackendAddress {
  std::string name;  ///< what clients call the model, and the first part of a path
  std::string host;  ///< a name or an address literal
  std::uint16_t port = 80;

  bool operator==(const BackendAddress&) const = default;
};

/// Reads "qwen2=http://tgi-qwen2:80". The error says what is wrong with it and what it should look like.
Result<BackendAddress, std::string> parse_backend(std::string_view text);

/// The value of a request's Host header.
std::string host_header(const BackendAddress& address);

struct Backend {
  BackendAddress address;
  std::shared_ptr<const ChatTemplate> chat_template{};  ///< for the scenarios of /v1/generate
  std::string begin_text{};  ///< what its tokenizer puts before every prompt, so that it is not there twice

  bool is_up = false;                                       ///< its /health said 200 when last asked
  std::string served_name{};                                ///< its /info's model_id; empty until it was read
  std::vector<boost::asio::ip::tcp::endpoint> endpoints{};  ///< of `host`, as last resolved
  std::size_t in_flight = 0;                                ///< requests it has from us
};

/// Index of the backend that `name` means, by its name or its served name; `backends.size()` if there is none.
std::size_t find_backend(std::span<const Backend> backends, std::string_view name);

}  // namespace refserver
