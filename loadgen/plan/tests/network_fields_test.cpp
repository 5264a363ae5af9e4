// Proxies of the environment, names resolved by hand, header values looked up, and what is refused of them.
#include "loadgen/plan/network_fields.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <map>

#include "loadgen/plan/header_fields.hpp"
#include "loadgen/plan/proxy.hpp"
#include "loadgen/plan/scenario_file.hpp"
#include "loadgen/plan/target.hpp"

namespace loadgen {
namespace {

using ::testing::HasSubstr;
using Variables = std::map<std::string, std::string>;

/// HOST:PORT of the proxy, "" for none, the error otherwise.
std::string proxy_of(const std::string& url, const Variables& variables) {
  const auto target = parse_target(url);
  if (!target) throw std::invalid_argument(target.error());
  const auto proxy = proxy_for(*target, [&](const char* name) {
    const auto found = variables.find(name);
    return found == variables.end() ? nullptr : found->second.c_str();
  });
  if (!proxy) return proxy.error();
  return *proxy ? (*proxy)->host + ":" + std::to_string((*proxy)->port) + (*proxy)->authorization : "";
}

TEST(Proxy, FollowsTheVariablesOtherClientsFollow) {
  EXPECT_EQ(proxy_of("http://h", {}), "");
  EXPECT_EQ(proxy_of("http://h", {{"http_proxy", "http://p:3128"}}), "p:3128");
  EXPECT_EQ(proxy_of("http://h", {{"http_proxy", "p:3128/"}}), "p:3128");
  EXPECT_EQ(proxy_of("http://h", {{"http_proxy", "http://p"}}), "p:1080");
  EXPECT_EQ(proxy_of("http://h", {{"HTTP_PROXY", "http://p:1"}}), "") << "that one a CGI client can set";
  EXPECT_EQ(proxy_of("http://h", {{"https_proxy", "http://p:1"}}), "");
  EXPECT_EQ(proxy_of("https://h", {{"HTTPS_PROXY", "http://[::1]:1"}}), "::1:1");
  EXPECT_EQ(proxy_of("https://h", {{"http_proxy", "http://p:1"}, {"ALL_PROXY", "http://q:2"}}), "q:2");
  EXPECT_EQ(proxy_of("http://h", {{"http_proxy", ""}, {"all_proxy", "q:2"}}), "q:2");
  EXPECT_EQ(proxy_of("http://h", {{"http_proxy", "http://a%20b:c%3ad@p:1"}}), "p:1Basic YSBiOmM6ZA==");
  EXPECT_EQ(proxy_of("unix:/s", {{"http_proxy", "p:1"}}), "");
}

TEST(Proxy, NoProxyNamesExceptions) {
  const auto excepted = [](const std::string& url, const std::string& list) {
    return proxy_of(url, {{"http_proxy", "p:1"}, {"no_proxy", list}}).empty();
  };
  EXPECT_TRUE(excepted("http://h.example", "*"));
  EXPECT_TRUE(excepted("http://h.example", "x, H.Example"));
  EXPECT_TRUE(excepted("http://h.example", "example"));
  EXPECT_TRUE(excepted("http://h.example", ".example"));
  EXPECT_TRUE(excepted("http://h.example:8080", "h.example:8080"));
  EXPECT_FALSE(excepted("http://h.example:8080", "h.example:80"));
  EXPECT_FALSE(excepted("http://hexample", "example"));
  EXPECT_FALSE(excepted("http://h.example", " , ,"));
  EXPECT_TRUE(excepted("http://127.0.0.1", "localhost,127.0.0.1"));
  EXPECT_TRUE(excepted("http://[::1]:80", "::1"));
  EXPECT_TRUE(excepted("http://[::1]:80", "[::1]"));
}

TEST(Proxy, RefusesWhatItCannotUseWithoutRepeatingIt) {
  for (const char* const bad :
       {"socks5://secret@p:1", "http://secret@", "http://p:99999", "http://p/secret", "p:1?secret"}) {
    const std::string error = proxy_of("http://h", {{"http_proxy", bad}});
    EXPECT_THAT(error, HasSubstr("environment variable http_proxy")) << bad;
    EXPECT_THAT(error, Not(HasSubstr("secret"))) << bad;
  }
}

TEST(Base64, FollowsTheVectorsOfItsRfc) {
  const std::vector<std::pair<const char*, const char*>> vectors = {{"", ""},
                                                                    {"f", "Zg=="},
                                                                    {"fo", "Zm8="},
                                                                    {"foo", "Zm9v"},
                                                                    {"foob", "Zm9vYg=="},
                                                                    {"fooba", "Zm9vYmE="},
                                                                    {"foobar", "Zm9vYmFy"}};
  for (const auto& [plain, coded] : vectors) EXPECT_EQ(base64(plain), coded);
}

TEST(ResolveRule, IsHostPortAddress) {
  const auto four = parse_resolve_rule("api:443:127.0.0.1");
  ASSERT_TRUE(four);
  EXPECT_EQ(four->host + "|" + std::to_string(four->port) + "|" + four->address, "api|443|127.0.0.1");
  EXPECT_EQ(parse_resolve_rule("api:443:[::1]")->address, "::1");
  EXPECT_EQ(parse_resolve_rule("api:443:::1")->address, "::1");
  for (const char* const bad :
       {"", "api", "api:443", ":443:1.2.3.4", "api:0:1.2.3.4", "api:x:1.2.3.4", "api:443:name", "api:443:"})
    EXPECT_FALSE(parse_resolve_rule(bad)) << bad;
}

TEST(HeaderValue, LooksUpWhatItRefersTo) {
  ::setenv("PLUMBLINE_TEST_KEY", "k e y", 1);
  EXPECT_EQ(*resolve_header_value("Bearer ${env:PLUMBLINE_TEST_KEY}!"), "Bearer k e y!");
  EXPECT_EQ(*resolve_header_value("plain $5 {x}"), "plain $5 {x}");
  ::setenv("PLUMBLINE_TEST_KEY", "a\r\nx: secret", 1);
  const auto smuggled = resolve_header_value("${env:PLUMBLINE_TEST_KEY}");
  ASSERT_FALSE(smuggled);
  EXPECT_THAT(smuggled.error(), Not(HasSubstr("secret")));
  ::unsetenv("PLUMBLINE_TEST_KEY");
  EXPECT_THAT(resolve_header_value("${env:PLUMBLINE_TEST_KEY}").error(),
              HasSubstr("'PLUMBLINE_TEST_KEY', which is not set"));
  EXPECT_FALSE(resolve_header_value("${env:"));
  EXPECT_FALSE(resolve_header_value("${HOME}"));
  EXPECT_THAT(resolve_header_value("${file:/nowhere/at/all}").error(),
              HasSubstr("'/nowhere/at/all', which cannot be read"));
}

std::string errors_with(const std::string& lines, const ScenarioFlags& flags = {}) {
  const auto scenario = parse_scenario(
      "schema_version: 1\nname: t\ntarget: https://h.example\nroute: tgi\nload: {mode: closed, concurrency: "
      "1}\nrequests: 1\n"
      "mix:\n  - {name: a, headers: {X-Key: own}}\n" +
          lines,
      "t.yaml", {}, flags);
  return scenario ? "" : errors_text(scenario.error());
}

TEST(NetworkFields, FindsMistakes) {
  EXPECT_EQ(errors_with(
                "host: api.example:8443\nproxy: none\ntls: {ca_file: ca.pem}\nresolve: ['h.example:443:127.0.0.1']\n"),
            "");
  EXPECT_THAT(errors_with("host: 'a b'\n"), HasSubstr("host: must be a host"));
  EXPECT_THAT(errors_with("host: 'a/b'\n"), HasSubstr("host: must be a host"));
  EXPECT_THAT(errors_with("proxy: maybe\n"), HasSubstr("proxy: must be one of"));
  EXPECT_THAT(errors_with("tls: {key: k.pem}\n"), HasSubstr("needs a 'certificate'"));
  EXPECT_THAT(errors_with("tls: {insecure: true, ca_file: c}\n"), HasSubstr("excludes 'ca_file'"));
  EXPECT_THAT(errors_with("tls: {verify: false}\n"), HasSubstr("verify"));
  EXPECT_THAT(errors_with("resolve: ['x']\n"), HasSubstr("resolve: 'x' must be HOST:PORT:ADDRESS"));
  EXPECT_THAT(errors_with("headers: {host: x}\n"), HasSubstr("give 'host' beside 'target'"));
}

TEST(NetworkFlags, ReplaceWhatAFileSays) {
  ScenarioFlags flags;
  flags.network.headers = {"x-key: flag", "other: 1"};
  flags.network.host = "api.example:8443";
  flags.network.connect_timeout = "2s";
  flags.network.insecure = flags.network.no_proxy = true;
  flags.network.resolve = {"h.example:443:127.0.0.1"};
  const auto scenario = parse_scenario(
      "schema_version: 1\nname: t\ntarget: https://h.example\nroute: tgi\nload: {mode: closed, concurrency: "
      "1}\nrequests: 1\n"
      "mix:\n  - {name: a, headers: {X-Key: own}}\n",
      "t.yaml", {}, flags);
  ASSERT_TRUE(scenario) << errors_text(scenario.error());
  const MixEntry& entry = scenario->mix.front();
  EXPECT_EQ(entry.headers, (Headers{{"x-key", "flag"}, {"other", "1"}}));
  EXPECT_EQ(entry.target.authority, "api.example:8443");
  EXPECT_EQ(entry.target.server_name, "api.example");
  EXPECT_EQ(entry.target.port, 443);
  EXPECT_TRUE(scenario->tls.insecure);
  EXPECT_EQ(scenario->proxies, Proxies::none);
  EXPECT_EQ(scenario->timeouts.connect, std::chrono::seconds(2));
  EXPECT_EQ(scenario->resolve.size(), 1U);
  flags.network.headers = {"no colon"};
  EXPECT_THAT(errors_with("", flags), HasSubstr("--header: must be 'NAME: VALUE'"));
}

TEST(SourceAddresses, AreNumericAndEachGivenOnce) {
  ScenarioFlags flags;
  flags.target = "http://127.0.0.1:1";
  flags.route = "tgi";
  flags.concurrency = flags.requests = "1";
  flags.network.source_address = "10.0.0.5,fd00::5";
  const auto scenario = scenario_from_flags(flags);
  ASSERT_TRUE(scenario.has_value()) << errors_text(scenario.error());
  EXPECT_EQ(scenario->source_addresses, (std::vector<std::string>{"10.0.0.5", "fd00::5"}));
  const std::pair<const char*, const char*> bad[] = {{"", "--source-address: "},
                                                     {"localhost", "must be a numeric address"},
                                                     {"10.0.0.5,", "--source-address: "},
                                                     {"10.0.0.5,10.0.0.5", "given twice"}};
  for (const auto& [text, says] : bad) {
    flags.network.source_address = text;
    const auto refused = scenario_from_flags(flags);
    ASSERT_FALSE(refused.has_value()) << text;
    EXPECT_THAT(errors_text(refused.error()), HasSubstr(says));
  }
}

}  // namespace
}  // namespace loadgen
