// The config file: YAML, of which JSON is a part.
#include <fmt/format.h>
#include <yaml-cpp/yaml.h>

#include "refserver/config_draft.hpp"

namespace refserver {
namespace {

[[noreturn]] void fail_at(const std::string& file, const YAML::Node& node, const std::string& field,
                          const std::string& why) {
  throw BadValue(fmt::format("{}:{}: {}: {}", file, node.Mark().line + 1, field, why));
}

std::string scalar(const std::string& file, const YAML::Node& node, const std::string& field) {
  if (!node.IsScalar()) fail_at(file, node, field, "expected a single value");
  return node.Scalar();
}

/// A model is its short name, or a mapping with a name and what differs from the defaults.
ConfigDraft::Model read_model(const std::string& file, const YAML::Node& node) {
  if (node.IsScalar()) return parse_model(node.Scalar());
  ConfigDraft::Model model;
  if (!node.IsMap()) fail_at(file, node, "models", "each entry is a name or a mapping with a name");
  for (const auto& entry : node) {
    const std::string key = entry.first.Scalar();
    try {
      set_model_field(model, key, scalar(file, entry.second, "models." + key));
    } catch (const BadValue& e) {
      fail_at(file, entry.first, "models." + key, e.what());
    }
  }
  if (model.name.empty()) fail_at(file, node, "models", "an entry has no name");
  return model;
}

void read_field(const std::string& file, const YAML::Node& key, const YAML::Node& value, ConfigDraft& draft) {
  const std::string& name = key.Scalar();
  if (name == "models") {
    if (!value.IsSequence()) fail_at(file, key, name, "expected a list");
    for (const auto& model : value) draft.models.push_back(read_model(file, model));
    return;
  }
  for (const Field& field : config_fields()) {
    if (name != field.name) continue;
    try {
      if (field.kind == Field::Kind::repeated && value.IsSequence()) {
        for (const auto& one : value) field.apply(draft, scalar(file, one, name));
      } else {
        field.apply(draft, scalar(file, value, name));
      }
    } catch (const BadValue& e) {
      fail_at(file, key, name, e.what());
    }
    return;
  }
  std::string known = "models";
  for (const Field& field : config_fields()) known += fmt::format(", {}", field.name);
  fail_at(file, key, name, "unknown field; there are " + known);
}

}  // namespace

void read_config_file(const std::string& file, ConfigDraft& draft) {
  YAML::Node root;
  try {
    root = YAML::LoadFile(file);
  } catch (const YAML::BadFile&) {
    throw BadValue(fmt::format("{}: cannot be read", file));
  } catch (const YAML::Exception& e) {
    throw BadValue(fmt::format("{}:{}: {}", file, e.mark.line + 1, e.msg));
  }
  if (!root.IsMap()) throw BadValue(fmt::format("{}: expected a mapping of fields", file));
  for (const auto& entry : root) {
    if (!entry.first.IsScalar())
      throw BadValue(fmt::format("{}:{}: a field name is not text", file, entry.first.Mark().line + 1));
    read_field(file, entry.first, entry.second, draft);
  }
}

}  // namespace refserver
