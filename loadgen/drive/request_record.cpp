// The fixed words of outcomes, phases and sources.
#include "loadgen/drive/request_record.hpp"

#include <array>

namespace loadgen {

std::string_view label(Outcome outcome) noexcept {
  static constexpr std::array<std::string_view, outcome_count> words = {"ok",
                                                                        "empty_output",
                                                                        "bad_content",
                                                                        "stream_error",
                                                                        "stream_error_partial",
                                                                        "truncated",
                                                                        "reset",
                                                                        "connect",
                                                                        "malformed",
                                                                        "overloaded",
                                                                        "http_4xx",
                                                                        "http_5xx",
                                                                        "timeout_connect",
                                                                        "timeout_ttft",
                                                                        "timeout_total",
                                                                        "client_resource",
                                                                        "dropped",
                                                                        "cancelled"};
  return words[static_cast<std::size_t>(outcome)];
}

std::string_view label(Phase phase) noexcept {
  static constexpr std::array<std::string_view, 3> words = {"warmup", "measure", "drain"};
  return words[static_cast<std::size_t>(phase)];
}

std::string_view label(TokenSource source) noexcept {
  static constexpr std::array<std::string_view, 5> words = {"none", "server_usage", "server_stream", "tokenizer",
                                                            "chunks"};
  return words[static_cast<std::size_t>(source)];
}

std::string_view label(StampSource source) noexcept {
  return source == StampSource::kernel ? "kernel" : "user";
}

}  // namespace loadgen
