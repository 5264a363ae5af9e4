// Credentials from a file or the environment.
#include "loadgen/credentials.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <string_view>
#include <utility>

#include "loadgen/plan/text.hpp"
#include "loadgen/plan/text_file.hpp"

namespace loadgen {
namespace {

using CredentialsResult = Result<Credentials, std::string>;

CredentialsResult failed(std::string message) {
  return {boost::system::in_place_error, std::move(message)};
}

/// The member a key stands for, or null.
std::string* member(Credentials& credentials, std::string_view key) {
  if (key == "user") return &credentials.user;
  if (key == "password") return &credentials.password;
  if (key == "token") return &credentials.token;
  return nullptr;
}

/// Sets one member; what is wrong, or empty. Line breaks could smuggle a header into the HTTP request.
std::string set(Credentials& credentials, std::string_view key, std::string value) {
  std::string* const target = member(credentials, key);
  if (target == nullptr) return "has a key that is none of user, password, token";
  if (!target->empty()) return fmt::format("gives {} twice", key);
  if (value.empty()) return fmt::format("gives {} no value", key);
  if (!is_utf8(value) || has_control_character(value)) return fmt::format("has a control character in {}", key);
  *target = std::move(value);
  return {};
}

CredentialsResult parse_json(const std::string& text) {
  const auto document = nlohmann::json::parse(text, nullptr, false);
  if (!document.is_object()) return failed("is not a JSON object with user, password or token");
  Credentials credentials;
  for (const auto& [key, value] : document.items()) {
    if (!value.is_string()) return failed("has a value that is not text");
    std::string error = set(credentials, key, value.get<std::string>());
    if (!error.empty()) return failed(std::move(error));
  }
  return {boost::system::in_place_value, std::move(credentials)};
}

std::string_view trimmed(std::string_view text) {
  const std::size_t first = text.find_first_not_of(" \t\r");
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(" \t\r") - first + 1);
}

CredentialsResult parse_lines(std::string_view text) {
  Credentials credentials;
  for (std::size_t number = 1; !text.empty(); ++number) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    const std::string_view line = trimmed(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
    if (line.empty() || line[0] == '#') continue;
    const std::size_t equals = line.find('=');
    if (equals == std::string_view::npos) return failed(fmt::format("has no '=' in line {}; write user=NAME", number));
    const std::string error =
        set(credentials, trimmed(line.substr(0, equals)), std::string(trimmed(line.substr(equals + 1))));
    if (!error.empty()) return failed(fmt::format("{} (line {})", error, number));
  }
  return {boost::system::in_place_value, std::move(credentials)};
}

CredentialsResult read_file(const std::filesystem::path& path) {
  constexpr std::size_t max_bytes = 64 * 1024;
  const TextFile file = read_text_file(path, max_bytes);
  const auto named = [&](const std::string& error) { return failed(fmt::format("{} {}", path.string(), error)); };
  if (!file.error.empty()) return named(file.error);
  auto credentials = parse_credentials(file.text);
  if (!credentials) return named(credentials.error());
  if (credentials->user.empty() && credentials->password.empty() && credentials->token.empty()) {
    return named("holds no credentials; write lines such as user=NAME and password=SECRET");
  }
  using std::filesystem::perms;
  std::error_code ec;
  const perms mode = std::filesystem::status(path, ec).permissions();
  if (!ec && (mode & (perms::group_all | perms::others_all)) != perms::none) {
    credentials->warning = fmt::format("{} can be opened by other users; chmod 600 it", path.string());
  }
  return credentials;
}

}  // namespace

CredentialsResult parse_credentials(const std::string& text) {
  const std::size_t first = text.find_first_not_of(" \t\r\n");
  return first != std::string::npos && text[first] == '{' ? parse_json(text) : parse_lines(text);
}

CredentialsResult read_credentials(const std::optional<std::filesystem::path>& file, const Environment& environment) {
  if (file) return read_file(*file);
  Credentials credentials;
  for (const auto& [variable, key] : {std::pair{"LOADGEN_INFLUX_USER", "user"},
                                      {"LOADGEN_INFLUX_PASSWORD", "password"},
                                      {"LOADGEN_INFLUX_TOKEN", "token"}}) {
    const char* const value = environment(variable);
    if (value == nullptr || *value == '\0') continue;
    const std::string error = set(credentials, key, value);
    if (!error.empty()) return failed(fmt::format("{} {}", variable, error));
  }
  return {boost::system::in_place_value, std::move(credentials)};
}

}  // namespace loadgen
