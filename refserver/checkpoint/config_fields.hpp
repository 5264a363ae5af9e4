// Takes typed values out of one JSON object. The first thing wrong sticks in `error` and everything else reads as
// absent, so that callers read straight through and look once. Used by the sources of this folder only.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>

#include "refserver/checkpoint/checkpoint_error.hpp"

namespace refserver {

/// The first error of a file, if any.
struct ConfigFailure {
  std::optional<CheckpointError> error;
};

class ConfigFields {
 public:
  /// `prefix` comes before the names in messages: "quantization_config.". The objects must outlive this one.
  ConfigFields(const nlohmann::json& object, std::string file, std::string prefix, ConfigFailure& failure);

  bool failed() const noexcept { return failure_->error.has_value(); }
  void fail(std::string_view key, CheckpointErrc code, std::string text) const;
  /// Refuses what is well-formed but cannot be run.
  void refuse(std::string_view key, std::string text) const { fail(key, CheckpointErrc::unsupported, std::move(text)); }

  /// Present and not null.
  bool has(std::string_view key) const { return find(key) != nullptr; }
  /// The value as it stands; nullptr when absent, null or after an error.
  const nlohmann::json* find(std::string_view key) const;
  /// The first of two spellings that is there; stating both with different values is an error.
  const nlohmann::json* find_either(std::string_view key, std::string_view other) const;

  std::optional<std::uint64_t> integer(std::string_view key, std::uint64_t low, std::uint64_t high) const;
  /// The same, and absence is an error. 0 after an error.
  std::size_t needed(std::string_view key, std::uint64_t low, std::uint64_t high) const;
  /// A finite number in [low, high].
  std::optional<double> number(std::string_view key, double low, double high) const;
  std::optional<bool> boolean(std::string_view key) const;
  std::optional<std::string> text(std::string_view key) const;
  /// A nested object.
  std::optional<ConfigFields> object(std::string_view key) const;

  const nlohmann::json& json() const noexcept { return *object_; }
  const std::string& file() const noexcept { return file_; }
  std::string path(std::string_view key) const { return prefix_ + std::string(key); }

 private:
  const nlohmann::json* object_;
  std::string file_;
  std::string prefix_;
  ConfigFailure* failure_;
};

/// A value as a message shows it: short.
std::string shown(const nlohmann::json& value);

}  // namespace refserver
