// Values as JSON, the way Python's json.dumps writes it.
#pragma once

#include <string>
#include <string_view>

#include "refserver/chat/jinja/value.hpp"

namespace refserver::jinja {

struct JsonStyle {
  bool is_ascii_only = false;  ///< \u escapes for everything else
  bool is_indented = false;    ///< one item a line
  std::string indent;          ///< before it, per level
  std::string item_separator = ", ";
  std::string key_separator = ": ";
  bool has_sorted_keys = false;
};

/// Fails with Python's words on what JSON cannot say.
std::string to_json(Budget& budget, const Value& value, const JsonStyle& style);

}  // namespace refserver::jinja
