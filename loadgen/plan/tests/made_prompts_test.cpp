// Prompts of a wanted length: exact by the tokenizer that is named, the same for the same request, and never begun
// alike.
#include "loadgen/plan/made_prompts.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "loadgen/plan/plan.hpp"
#include "tokenizer/tests/small_tokenizer.hpp"

namespace loadgen {
namespace {

namespace vocabulary = tokenizer::testing;
using testing::HasSubstr;

constexpr std::uint64_t seed = 42;

std::string prompt_of(const PromptWords& words, std::uint64_t index, std::uint32_t tokens) {
  std::string text;
  words.append(seed, index, tokens, text);
  return text;
}

/// A vocabulary with the words aa, bb, ... of `count` letters, with a blank before them and without.
std::shared_ptr<const tokenizer::Tokenizer> tokenizer_with(int count) {
  vocabulary::Merges merges;
  for (int i = 0; i < count; ++i) {
    const std::string letter(1, static_cast<char>('a' + i));
    merges.emplace_back(letter, letter);
    merges.emplace_back(" ", letter + letter);
  }
  return vocabulary::open(vocabulary::file_with(merges));
}

TEST(MadePrompts, HaveAsManyWordsAsAskedFor) {
  const auto words = PromptWords::usual();
  for (const std::uint32_t tokens : {1U, 2U, 15U, 16U, 17U, 500U, 8192U, 20'000U}) {
    const std::string text = prompt_of(*words, 7, tokens);
    EXPECT_EQ(std::count(text.begin(), text.end(), ' ') + 1, tokens);
    EXPECT_EQ(words->bytes(seed, 7, tokens), text.size());
    EXPECT_TRUE(std::all_of(text.begin(), text.end(), [](char c) { return c == ' ' || (c >= 'a' && c <= 'z'); }));
    EXPECT_EQ(text, prompt_of(*words, 7, tokens)) << "a pure function";
  }
}

TEST(MadePrompts, NoTwoBeginAlike) {
  const auto words = PromptWords::usual();
  std::set<std::string> beginnings;
  for (std::uint64_t index = 0; index < 2000; ++index) beginnings.insert(prompt_of(*words, index, 8));
  EXPECT_EQ(beginnings.size(), 2000U);
}

TEST(MadePrompts, AreExactByTheTokenizerThatIsNamed) {
  const auto tokenizer = tokenizer_with(20);
  const auto words = PromptWords::of(*tokenizer);
  ASSERT_TRUE(words.has_value()) << words.error();
  constexpr tokenizer::EncodeOptions plain{tokenizer::SpecialTokens::omit, tokenizer::TokenText::plain};
  for (std::uint32_t tokens = 1; tokens < 200; ++tokens)
    ASSERT_EQ(tokenizer->count(prompt_of(**words, tokens, tokens), plain), tokens);
  EXPECT_EQ(tokenizer->count(prompt_of(**words, 1, 30'000), plain), 30'000U);
}

TEST(MadePrompts, AVocabularyWithoutWordsIsRefused) {
  const auto few = PromptWords::of(*tokenizer_with(15));
  ASSERT_FALSE(few.has_value());
  EXPECT_THAT(few.error(), HasSubstr("has 15 words of one token, fewer than 16"));
}

TEST(MadePrompts, ThePlanDrawsLengthAndWordsByIndex) {
  Scenario scenario;
  scenario.seed = seed;
  MixEntry entry;
  entry.made =
      std::make_shared<const MadePrompts>(MadePrompts{*parse_length_draw("uniform(20, 40)"), PromptWords::usual()});
  scenario.mix = {entry};
  const Plan plan(scenario);
  std::set<std::uint32_t> lengths;
  for (std::uint64_t index = 0; index < 500; ++index) {
    const PlannedRequest request = plan.request(index);
    const std::string text = plan.prompt_text(request);
    EXPECT_EQ(std::count(text.begin(), text.end(), ' ') + 1, request.prompt_tokens);
    lengths.insert(request.prompt_tokens);
  }
  EXPECT_EQ(lengths.size(), 21U);
  EXPECT_EQ(*lengths.begin(), 20U);
  scenario.nonce = false;  // all begin alike: what a prefix cache is measured with
  const Plan alike(scenario);
  const std::string one = alike.prompt_text(alike.request(1)), two = alike.prompt_text(alike.request(2));
  const std::size_t both = std::min(one.size(), two.size());
  EXPECT_EQ(one.substr(0, both), two.substr(0, both));
}

}  // namespace
}  // namespace loadgen
