#include "loadgen/plan/network_fields.hpp"

#include <arpa/inet.h>
#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <utility>

#include "loadgen/plan/proxy.hpp"

namespace loadgen {
namespace {

constexpr TextRange path_text{4096, TextRange::Kind::line};
constexpr TextRange rule_text{400, TextRange::Kind::line};

std::string file_of(const ObjectReader& reader, const char* key, const std::filesystem::path& folder) {
  const auto text = reader.text(key, path_text);
  if (!text) return {};
  const std::filesystem::path path(*text);
  return path.is_absolute() || folder.empty() ? *text : (folder / path).string();
}

TlsOptions read_tls(const Document& document, const ObjectReader& scenario, const std::filesystem::path& folder,
                    ScenarioErrors& errors) {
  TlsOptions tls;
  if (!scenario.has("tls") || scenario.find("tls") == nullptr) return tls;
  const ObjectReader reader(document, scenario.pointer("tls"), errors, {"ca_file", "certificate", "key", "insecure"});
  if (!reader.is_mapping()) return tls;
  tls.ca_file = file_of(reader, "ca_file", folder);
  tls.certificate = file_of(reader, "certificate", folder);
  tls.key = file_of(reader, "key", folder);
  tls.insecure = reader.boolean("insecure").value_or(false);
  if (tls.certificate.empty() && reader.has("key")) reader.fail("key", "needs a 'certificate' it belongs to");
  if (tls.insecure && reader.has("ca_file"))
    reader.fail("insecure", "excludes 'ca_file': certificates are either checked or not");
  return tls;
}

bool is_numeric_address(const std::string& text) {
  unsigned char bytes[sizeof(in6_addr)];
  return ::inet_pton(AF_INET, text.c_str(), bytes) == 1 || ::inet_pton(AF_INET6, text.c_str(), bytes) == 1;
}

void read_source_addresses(const ObjectReader& reader, Scenario& scenario) {
  constexpr std::size_t most = 256;
  constexpr const char* key = "source_addresses";
  for (std::string& text : reader.texts(key, most, rule_text).value_or(std::vector<std::string>{})) {
    const bool is_new = std::find(scenario.source_addresses.begin(), scenario.source_addresses.end(), text) ==
                        scenario.source_addresses.end();
    if (!is_numeric_address(text)) {
      reader.fail(key, fmt::format("'{}' must be a numeric address of this machine, as 10.0.0.5 or fd00::5",
                                   text.substr(0, 100)));
    } else if (!is_new) {
      reader.fail(key, fmt::format("'{}' is given twice", text));
    } else {
      scenario.source_addresses.push_back(std::move(text));
    }
  }
}

}  // namespace

Result<ResolveRule, std::string> parse_resolve_rule(std::string_view text) {
  const auto refuse = [](const char* why) {
    return Result<ResolveRule, std::string>(boost::system::in_place_error, why);
  };
  const std::size_t first = text.find(':');
  const std::size_t second = first == std::string_view::npos ? first : text.find(':', first + 1);
  if (first == 0 || second == std::string_view::npos) return refuse("must be HOST:PORT:ADDRESS, as api:443:127.0.0.1");
  ResolveRule rule;
  rule.host = std::string(text.substr(0, first));
  const std::string_view port = text.substr(first + 1, second - first - 1);
  const auto [end, error] = std::from_chars(port.data(), port.data() + port.size(), rule.port);
  if (error != std::errc() || end != port.data() + port.size() || rule.port == 0)
    return refuse("needs a port between 1 and 65535 after the host, as api:443:127.0.0.1");
  rule.address = std::string(text.substr(second + 1));
  if (rule.address.size() > 2 && rule.address.front() == '[' && rule.address.back() == ']')
    rule.address = rule.address.substr(1, rule.address.size() - 2);
  if (!is_numeric_address(rule.address))
    return refuse("needs a numeric address after the port, as api:443:127.0.0.1 or api:443:[::1]");
  return rule;
}

void read_network(const Document& document, const ObjectReader& reader, const std::filesystem::path& folder,
                  Scenario& scenario, ScenarioErrors& errors) {
  scenario.tls = read_tls(document, reader, folder, errors);
  if (reader.has("resolve")) {
    for (const std::string& text : reader.texts("resolve", 256, rule_text).value_or(std::vector<std::string>{})) {
      auto rule = parse_resolve_rule(text);
      if (rule) {
        scenario.resolve.push_back(std::move(*rule));
      } else {
        reader.fail("resolve", fmt::format("'{}' {}", text.substr(0, 100), rule.error()));
      }
    }
  }
  read_source_addresses(reader, scenario);
  if (reader.word("proxy", {"environment", "none"}) == std::size_t{1}) scenario.proxies = Proxies::none;
  if (scenario.proxies == Proxies::none) return;
  for (MixEntry& entry : scenario.mix) {
    auto proxy = proxy_for(entry.target, [](const char* name) { return std::getenv(name); });
    if (!proxy) return reader.fail("proxy", proxy.error());  // the next entry would only say it again
    entry.target.proxy = std::move(*proxy);
  }
}

}  // namespace loadgen
