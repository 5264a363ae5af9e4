// An entry of `models`, from a file member by member or from one flag.
#include <filesystem>

#include "refserver/config_draft.hpp"

namespace refserver {

void set_model_field(ConfigDraft::Model& model, const std::string& key, const std::string& value) {
  if (key == "name") {
    model.name = value;
  } else if (key == "served_name") {
    model.served_name = value;
  } else if (key == "folder") {
    model.folder = value;
  } else if (key == "sim_ttft") {
    model.ttft = must(parse_distribution(value));
  } else if (key == "sim_gap") {
    model.gap = must(parse_distribution(value));
  } else if (key == "sim_preset") {
    model.preset = value;
  } else if (key == "weight") {
    model.weight = parse_number<double>(value, 0.001, 1000);
  } else if (key == "max_input_tokens") {
    model.max_input_tokens = parse_number<std::uint32_t>(value, 1, 10'000'000);
  } else if (key == "max_total_tokens") {
    model.max_total_tokens = parse_number<std::uint32_t>(value, 2, 10'000'000);
  } else {
    throw BadValue(
        "unknown field; a model has name, served_name, folder, weight, sim_ttft, sim_gap, sim_preset, "
        "max_input_tokens, max_total_tokens");
  }
}

ConfigDraft::Model parse_model(const std::string& text) {
  const std::size_t equals = text.find('=');
  if (equals != std::string::npos) return {.name = text.substr(0, equals), .folder = text.substr(equals + 1)};
  // As TGI's --model-id takes it: a folder alone, here named by its last part.
  std::error_code ignored;
  std::filesystem::path path(text);
  if (text.find('/') != std::string::npos && std::filesystem::is_directory(path, ignored)) {
    if (!path.has_filename()) path = path.parent_path();
    return {.name = path.filename().string(), .folder = text};
  }
  return {.name = text};
}

}  // namespace refserver
