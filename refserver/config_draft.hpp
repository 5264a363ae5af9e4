// Settings while they are read, and the table of fields that file, environment and flags share. Knows names and values;
// knows neither YAML nor a command line.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "refserver/config.hpp"
#include "refserver/config_values.hpp"

namespace refserver {

/// Models are settled at the end, when defaults are known.
struct ConfigDraft {
  ServerConfig config;
  EngineSettings engine;                          ///< for models that state none of their own
  std::string preset;                             ///< of costs; empty: by the model's family
  std::optional<std::uint32_t> max_input_tokens;  ///< empty: one less than the total
  std::optional<std::uint32_t> max_input_length;  ///< the same by its old name
  std::optional<std::uint32_t> max_total_tokens;  ///< empty: 32768; of a checkpoint that computes, what is usual
  std::uint32_t default_max_new_tokens = 100;
  std::optional<std::string> hostname;  ///< TGI's name of `host`, which may be no address
  std::vector<std::pair<std::string, std::uint16_t>> model_ports;
  struct Model {
    std::string name{};
    std::string served_name{};
    std::string folder{};
    std::optional<Distribution> ttft{};
    std::optional<Distribution> gap{};
    std::string preset{};
    std::optional<std::uint32_t> max_input_tokens{};
    std::optional<std::uint32_t> max_total_tokens{};
    double weight = 1;
  };
  std::vector<Model> models;
};

struct Field {
  enum class Kind : std::uint8_t {
    value,
    toggle,   ///< a flag alone means true
    repeated  ///< may come several times; in the environment separated by commas
  };
  /// Whether TGI has it: then it is also read from the environment, in upper case.
  enum class Origin : std::uint8_t { ours, tgi };

  const char* name;  ///< in the file; the flag has '-' for '_'
  const char* type;
  const char* help;
  Origin origin = Origin::ours;
  Kind kind = Kind::value;
  std::function<void(ConfigDraft&, const std::string&)> apply;
};

// How tables of fields spell the above.
using Draft = ConfigDraft;
inline constexpr auto kTgi = Field::Origin::tgi;
inline constexpr auto kOurs = Field::Origin::ours;
inline constexpr auto kValue = Field::Kind::value;
inline constexpr auto kToggle = Field::Kind::toggle;
inline constexpr auto kRepeated = Field::Kind::repeated;

// Parts of config_fields.
std::vector<Field> scheduler_fields();
std::vector<Field> engine_fields();  ///< which engine, and what simulated ones do
std::vector<Field> cpu_fields();     ///< of the engine that computes
/// Every field but `models`.
const std::vector<Field>& config_fields();

/// "--max-best-of" for "max_best_of".
std::string flag_of(std::string_view field);
/// "MAX_BEST_OF" for "max_best_of".
std::string variable_of(std::string_view field);

/// "NAME", "NAME=FOLDER" or a folder alone, which is then named by its last part.
ConfigDraft::Model parse_model(const std::string& text);
/// Sets one member of an entry of `models`. Throws BadValue.
void set_model_field(ConfigDraft::Model& model, const std::string& key, const std::string& value);

/// Reads the file into the draft. Throws BadValue naming file, line and field.
void read_config_file(const std::string& file, ConfigDraft& draft);

/// What remains once everything was read: models, defaults, what must hold between fields. Throws BadValue.
void settle_config(ConfigDraft& draft);

}  // namespace refserver
