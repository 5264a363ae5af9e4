// TGI's launcher flags and variables that do nothing here: each is either harmless and accepted, or asks for something
// this server cannot do and is refused with the reason. A service file written for TGI so works or says why not.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace refserver {

struct LauncherFlag {
  enum class Kind : std::uint8_t { value, toggle, variable };  ///< variable: TGI has it only in the environment
  enum class Answer : std::uint8_t { ignored, refused };

  std::string_view name;  ///< snake case
  Kind kind = Kind::value;
  Answer answer = Answer::ignored;
  std::string_view harmless{};  ///< the one value of a refused flag that changes nothing
  std::string_view reason{};
};

std::span<const LauncherFlag> launcher_flags();

/// Why the flag cannot be obeyed with this value; empty if it can be ignored.
std::optional<std::string> find_objection(const LauncherFlag& flag, std::string_view value);

}  // namespace refserver
