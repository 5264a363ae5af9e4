// How chunking is spelled, and where it cuts.
#include "refserver/api/chunking.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace refserver {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using namespace std::chrono_literals;

std::string complaint(std::string_view text) {
  const auto read = parse_chunking(text);
  return read ? "" : read.error();
}

TEST(Chunking, PartsComeInAnyOrder) {
  const auto all = parse_chunking("comments=50ms,pieces=3,cut-characters,tokens=4,events=2");
  ASSERT_TRUE(all);
  EXPECT_EQ(all->tokens_per_event, 4U);
  EXPECT_EQ(all->events_per_write, 2U);
  EXPECT_EQ(all->pieces_per_write, 3U);
  EXPECT_TRUE(all->cuts_characters);
  EXPECT_EQ(all->comment_every, 50ms);
  EXPECT_EQ(*parse_chunking(""), Chunking{});
  EXPECT_EQ(parse_chunking("cut-characters")->pieces_per_write, 2U);
}

TEST(Chunking, ErrorsNameThePartAndTheFix) {
  EXPECT_EQ(complaint("tokens=0"), "tokens: '0' is not a whole number from 1 to 1000");
  EXPECT_EQ(complaint("pieces=x"), "pieces: 'x' is not a whole number from 1 to 1000");
  EXPECT_EQ(complaint("events"), "events: '' is not a whole number from 1 to 1000");
  EXPECT_THAT(complaint("comments=5"), HasSubstr("comments: '5' is not a duration from 1ms on"));
  EXPECT_THAT(complaint("comments=1us"), HasSubstr("from 1ms on"));
  EXPECT_THAT(complaint("magic"), HasSubstr("'magic' is not a part of it; there are tokens=N"));
  EXPECT_THAT(complaint("tokens=2,"), HasSubstr("ends with a comma"));
  EXPECT_THAT(complaint(",tokens=2"), HasSubstr("'' is not a part of it"));
}

TEST(Chunking, PiecesAreEvenAndNeverEmpty) {
  Chunking three;
  three.pieces_per_write = 3;
  EXPECT_THAT(piece_ends("abcdefghi", three), ElementsAre(3, 6, 9));
  EXPECT_THAT(piece_ends("ab", three), ElementsAre(1, 2));
  EXPECT_THAT(piece_ends("a", three), ElementsAre(1));
  EXPECT_THAT(piece_ends("", three), ElementsAre(0));
}

TEST(Chunking, CharactersAreCutWhereThereAreAny) {
  Chunking two;
  two.pieces_per_write = 2;
  two.cuts_characters = true;
  EXPECT_THAT(piece_ends("aaaaaaa\xC3\xA9", two), ElementsAre(8, 9));
  EXPECT_THAT(piece_ends("\xE4\xB8\xAD"
                         "aaaaaaaaa",
                         two),
              ElementsAre(2, 12));  // the nearer end of it
  EXPECT_THAT(piece_ends("aaaaaa", two), ElementsAre(3, 6));
}

TEST(Chunking, MergedTokensKeepTextAndAddUp) {
  TokenEvent first;
  first.index = 1;
  first.token = {1, " a", -0.5F, false};
  TokenEvent second;
  second.index = 2;
  second.token = {2, "<end>", -0.25F, true};
  second.finish = FinishReason::eos_token;
  merge_token(first, second);
  EXPECT_EQ(first.index, 2U);
  EXPECT_EQ(first.token.id, 2U);
  EXPECT_EQ(first.token.text, " a");  // a special token shows no text
  EXPECT_EQ(first.token.logprob, -0.75F);
  EXPECT_FALSE(first.token.is_special);
  EXPECT_EQ(first.finish, FinishReason::eos_token);
}

}  // namespace
}  // namespace refserver
