// Options as all commands declare them: what stands together in the help, and texts that are judged later.
#pragma once

#include <CLI/CLI.hpp>
#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace loadgen {

/// Adds options to `app` under one heading of its help.
class OptionGroup {
 public:
  OptionGroup(CLI::App& app, const char* heading) : app_(app), heading_(heading) {}

  /// Takes one text. An empty text stays a text, so that validation can refuse it.
  void text(const char* name, std::optional<std::string>& value, const char* type, const char* help) {
    app_.add_option_function<std::string>(
            name, [&value](const std::string& text) { value = text; }, help)
        ->type_name(type)
        ->group(heading_);
  }
  /// May be repeated, one text each time, so that it never swallows what follows.
  void texts(const char* name, std::vector<std::string>& values, const char* type, const char* help) {
    app_.add_option(name, values, help)->type_name(type)->group(heading_)->allow_extra_args(false);
  }
  void flag(const char* name, bool& value, const char* help) { app_.add_flag(name, value, help)->group(heading_); }
  /// Calls `said` if the flag is given.
  void flag(const char* name, const std::function<void()>& said, const char* help) {
    app_.add_flag_callback(name, said, help)->group(heading_);
  }

 private:
  CLI::App& app_;
  const char* heading_;
};

}  // namespace loadgen
