// A flag that takes one of a few words, each standing for a value. For the wiring of commands only.
#pragma once

#include <CLI/CLI.hpp>
#include <string>
#include <utility>
#include <vector>

namespace refserver {

template <class T>
CLI::Option* add_choice(CLI::App& app, const std::string& name, T& value,
                        std::vector<std::pair<std::string, T>> choices, const std::string& help) {
  std::vector<std::string> words;
  words.reserve(choices.size());
  for (const auto& [word, choice] : choices) words.push_back(word);
  const auto apply = [&value, choices = std::move(choices)](const std::string& text) {
    for (const auto& [word, choice] : choices) {
      if (word == text) value = choice;
    }
  };
  return app.add_option_function<std::string>(name, apply, help)->check(CLI::IsMember(words))->type_name("NAME");
}

}  // namespace refserver
