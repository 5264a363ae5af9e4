// Addresses of Grafana, good and hostile, and the links made of them.
#include "loadgen/export/grafana_links.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace loadgen {
namespace {

using testing::HasSubstr;

TEST(GrafanaUrl, KeepsHostPortAndPath) {
  EXPECT_EQ(parse_grafana_url("http://127.0.0.1:3000")->base, "http://127.0.0.1:3000");
  EXPECT_EQ(parse_grafana_url("https://observe.example/grafana//")->base, "https://observe.example/grafana");
  EXPECT_EQ(parse_grafana_url("http://[::1]:3000/")->base, "http://[::1]:3000");
}

TEST(GrafanaUrl, SaysWhatIsWrong) {
  const std::pair<const char*, const char*> cases[] = {
      {"", "no http://"},
      {"localhost:3000", "no http://"},
      {"javascript:alert(1)", "no http://"},
      {"http://", "host is missing"},
      {"http:///d", "host is missing"},
      {"http://:3000", "host is missing"},
      {"http://admin:secret@h:3000", "credentials"},
      {"http://h:3000/?orgId=1", "without spaces"},
      {"http://h:3000/#x", "without spaces"},
      {"http://h\n:3000", "without spaces"},
      {"http://h/\"><script>", "without spaces"},
  };
  for (const auto& [text, words] : cases) {
    const auto url = parse_grafana_url(text);
    ASSERT_FALSE(url.has_value()) << text;
    EXPECT_THAT(url.error(), HasSubstr(words)) << text;
    EXPECT_THAT(url.error(), HasSubstr("http://127.0.0.1:3000")) << "the fix";
  }
}

TEST(GrafanaLinks, HoldTheWholeRunAndItsTag) {
  RunFacts facts;
  facts.run_id = "run 1/ä&b";
  facts.wall_start_ms = 1'795'230'900'000;
  facts.mono_start_ns = 77;
  facts.mono_end_ns = facts.mono_start_ns + 12'345'678'901;
  const auto links = grafana_links(GrafanaUrl{"http://h:3000"}, facts);
  EXPECT_EQ(links.at("grafana_run"),
            "http://h:3000/d/plumbline-run?from=1795230900000&to=1795230912346&var-run=run%201%2F%C3%A4%26b");
  EXPECT_THAT(links.at("grafana_compare"), HasSubstr("/d/plumbline-compare?"));
  EXPECT_THAT(links.at("grafana_compare"), HasSubstr("&var-run_b=run%20"));
}

}  // namespace
}  // namespace loadgen
