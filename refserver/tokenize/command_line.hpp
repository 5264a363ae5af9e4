// The flags of the program `tokenize`.
#pragma once

#include <filesystem>
#include <optional>
#include <string>

#include "refserver/exit_code.hpp"
#include "refserver/tokenize/converter.hpp"

namespace refserver::tokenize {

struct Settings {
  std::filesystem::path tokenizer;  ///< a tokenizer.json or the folder of a checkpoint
  std::string chat_template;        ///< a built-in one; empty: the checkpoint's own
  std::filesystem::path input;      ///< empty: standard input
  Conversion conversion;
};

struct CommandLine {
  std::optional<Settings> settings;  ///< nothing: end with `code`; help or the error has been printed
  ExitCode code = ExitCode::ok;
};

CommandLine parse_command_line(int argc, const char* const* argv);

}  // namespace refserver::tokenize
