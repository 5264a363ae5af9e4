// Scenario data files: all there, both languages, filled in.
#include "refserver/chat/scenario.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace refserver {
namespace {

TEST(Scenario, NamesAreThoseOfTheFiles) {
  EXPECT_THAT(scenario_names(), ::testing::ElementsAre("qa", "rewrite", "summarize"));
}

TEST(Scenario, EveryFileHasASystemTurnAndOnePlaceForTheText) {
  EXPECT_EQ(embedded_scenario_files().size(), 6U);
  for (const ScenarioFile& file : embedded_scenario_files()) {
    const std::string text(file.text);
    EXPECT_NE(text.find("\n---\n"), std::string::npos) << file.name;
    const std::size_t at = text.find("{inputs}");
    ASSERT_NE(at, std::string::npos) << file.name;
    EXPECT_EQ(text.find("{inputs}", at + 1), std::string::npos) << file.name;
  }
}

TEST(Scenario, LanguageFollowsTheText) {
  const auto english = make_scenario_messages("summarize", "The word 你好 means hello in Chinese.");
  ASSERT_TRUE(english);
  EXPECT_EQ((*english)[0].role, "system");
  EXPECT_EQ((*english)[1].content, "Summarize the following text:\n\nThe word 你好 means hello in Chinese.");
  const auto chinese = make_scenario_messages("summarize", "请解释 HTTP 协议");
  ASSERT_TRUE(chinese);
  EXPECT_THAT((*chinese)[1].content, ::testing::EndsWith("请解释 HTTP 协议"));
  EXPECT_THAT((*chinese)[1].content, ::testing::StartsWith("请总结"));
}

TEST(Scenario, TextIsTakenAsItIs) {
  const auto messages = make_scenario_messages("qa", "{inputs} %s {} \xff");
  ASSERT_TRUE(messages);
  EXPECT_EQ((*messages)[1].content, "Question: {inputs} %s {} \xff");
}

TEST(Scenario, UnknownNamesSayWhatThereIs) {
  const auto unknown = make_scenario_messages("../qa", "x");
  ASSERT_FALSE(unknown);
  EXPECT_EQ(unknown.error().type, ErrorType::unknown_scenario);
  EXPECT_EQ(unknown.error().text, "unknown scenario `../qa`, expected one of: qa, rewrite, summarize");
}

}  // namespace
}  // namespace refserver
