// What the gateway knows of a stream that passes through: where events end, how many tokens they brought, and for
// /v1/generate which event is the last. Bytes in, bytes out; no I/O.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace refserver {

/// Tokens that a backend's answer told of; empty where it did not say.
struct TokenTally {
  std::optional<std::uint64_t> input;
  std::optional<std::uint64_t> output;
};

/// Cuts bytes into events. An event ends with an empty line, which belongs to it.
class EventCutter {
 public:
  void add(std::string_view bytes) { pending_ += bytes; }
  /// The next whole event, if there is one; valid until `add`.
  std::optional<std::string_view> next();
  /// What is left: the beginning of an event.
  std::string_view rest() const { return std::string_view(pending_).substr(begin_); }

 private:
  std::string pending_;
  std::size_t begin_ = 0;
  std::size_t looked_ = 0;  ///< no event ends before this
};

/// Looks on while a stream of TGI's own or of OpenAI's form passes. An event longer than `limit_bytes` ends the
/// looking.
class StreamWatcher {
 public:
  explicit StreamWatcher(std::size_t limit_bytes = 1U << 20U) : limit_bytes_(limit_bytes) {}
  void see(std::string_view bytes);
  const TokenTally& tally() const { return tally_; }
  /// An event said what went wrong.
  bool has_error() const { return has_error_; }

 private:
  std::size_t limit_bytes_;
  EventCutter cutter_;
  TokenTally tally_;
  bool has_error_ = false;
  bool is_blind_ = false;
};

/// Adds `model` and `tokens` to the last event of a /generate_stream answer; `details` stay only where they are wanted.
/// Every other event passes as it came.
class ScenarioStream {
 public:
  ScenarioStream(std::string model, bool wants_details, std::size_t limit_bytes = 1U << 20U)
      : model_(std::move(model)), wants_details_(wants_details), limit_bytes_(limit_bytes) {}
  /// Appends to `out` every event that `bytes` completed. False: an event is longer than the limit.
  bool rewrite(std::string_view bytes, std::string& out);
  /// What is left when the stream has ended.
  std::string_view rest() const { return cutter_.rest(); }

 private:
  void append_event(std::string_view event, std::string& out) const;

  std::string model_;
  bool wants_details_;
  std::size_t limit_bytes_;
  EventCutter cutter_;
};

}  // namespace refserver
