// The InfluxDB user, password and token: from the environment or a file, never from the command line, where any user of
// the machine could read them.
#pragma once

#include <filesystem>
#include <functional>
#include <optional>
#include <string>

#include "loadgen/result.hpp"

namespace loadgen {

struct Credentials {
  std::string user, password, token;  ///< empty: not given
  std::string warning;                ///< for the user; empty if there is none
};

/// What the environment says: nullptr for a variable that is not set. std::getenv outside of tests.
using Environment = std::function<const char*(const char* name)>;

/// `LOADGEN_INFLUX_USER`, `_PASSWORD`, `_TOKEN`, or the file instead if one is named. Warns when the file is open to
/// other users. The error names the file and what is wrong with it, never what is in it.
Result<Credentials, std::string> read_credentials(const std::optional<std::filesystem::path>& file,
                                                  const Environment& environment);

/// The text of such a file: lines `user=...`, `password=...`, `token=...` (`#` starts a comment line), or a JSON object
/// with these keys.
Result<Credentials, std::string> parse_credentials(const std::string& text);

}  // namespace loadgen
