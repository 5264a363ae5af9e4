// Every scenario of bad_scenarios.yaml is refused with the right line, field and words; its good one is not.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <sstream>
#include <string>
#include <vector>

#include "loadgen/plan/document.hpp"
#include "loadgen/plan/scenario_file.hpp"
#include "loadgen/plan/text_file.hpp"

namespace loadgen {
namespace {

constexpr const char* table_path = PLUMBLINE_SOURCE_DIR "/loadgen/plan/tests/bad_scenarios.yaml";

Json table() {
  const TextFile file = read_text_file(table_path, max_document_bytes);
  EXPECT_EQ(file.error, "");
  auto document = read_document(file.text, table_path);
  EXPECT_TRUE(document.has_value()) << errors_text(document.error());
  return document->root;
}

std::string key_of(const std::string& line) {
  return line.substr(0, line.find(':'));
}

/// The text of a case; the rules stand at the top of the table.
std::string built(const Json& bad, const std::string& good) {
  if (bad.contains("whole")) return bad["whole"];
  const std::string text = bad["text"];
  if (text[0] == '+') return good + text.substr(1) + "\n";
  const bool removes = text[0] == '-';
  const std::string key = removes ? text.substr(1) : key_of(text);
  std::istringstream lines(good);
  std::string out;
  for (std::string line; std::getline(lines, line);) {
    const std::string here = key_of(line);
    const bool hit = here == key || (!removes && here == key.substr(0, key.size() - 1));
    if (!hit) out += line + "\n";
    if (hit && !removes) out += text + "\n";
  }
  return out;
}

TEST(BadScenarios, TheGoodOneIsGood) {
  const auto scenario = parse_scenario(table()["good"].get<std::string>(), "good.yaml", {});
  EXPECT_TRUE(scenario.has_value()) << errors_text(scenario.error());
}

TEST(BadScenarios, EachIsRefusedWhereAndForWhatItIs) {
  const Json cases = table();
  const std::string good = cases["good"];
  ASSERT_GT(cases["bad"].size(), 100U);
  for (const Json& bad : cases["bad"]) {
    const std::string text = built(bad, good);
    ASSERT_NE(text, good) << bad.dump();
    const auto scenario = parse_scenario(text, "bad.yaml", PLUMBLINE_SOURCE_DIR "/scenarios");
    ASSERT_FALSE(scenario.has_value()) << bad.dump();
    const ScenarioErrors errors = scenario.error();
    const std::string all = errors_text(errors);
    const ScenarioError& first = errors.front();
    EXPECT_THAT(all, testing::HasSubstr(bad["says"].get<std::string>())) << bad.dump();
    EXPECT_EQ(first.field, bad.value("field", first.field)) << all;
    EXPECT_EQ(first.line, bad.value("line", first.line)) << all;
    EXPECT_EQ(first.source, "bad.yaml");
  }
}

}  // namespace
}  // namespace loadgen
