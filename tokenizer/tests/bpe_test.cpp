// Byte-pair encoding of single pieces against a merge of the obvious kind, and the cases that have rules of their own.
#include "tokenizer/bpe/bpe.hpp"

#include <gtest/gtest.h>

#include <map>
#include <random>

#include "tokenizer/tests/small_tokenizer.hpp"

namespace tokenizer {
namespace {

using testing::file_with;
using testing::Json;
using testing::Merges;
using testing::open;
using testing::shown;

/// Merges the lowest rank, then the leftmost pair, until none is left.
std::vector<std::string> merge_naively(std::string_view piece, const Merges& merges) {
  std::vector<std::string> parts;
  for (const char byte : piece) parts.emplace_back(1, byte);
  for (;;) {
    std::size_t best = merges.size();
    std::size_t at = 0;
    for (std::size_t i = 0; i + 1 < parts.size(); ++i) {
      for (std::size_t rank = 0; rank < best; ++rank) {
        if (merges[rank].first == parts[i] && merges[rank].second == parts[i + 1]) {
          best = rank;
          at = i;
        }
      }
    }
    if (best == merges.size()) return parts;
    parts[at] += parts[at + 1];
    parts.erase(parts.begin() + static_cast<std::ptrdiff_t>(at) + 1);
  }
}

/// Merges of random parts, each made of bytes or of earlier results.
Merges random_merges(std::mt19937& random, const std::string& alphabet, std::size_t count) {
  Merges merges;
  std::vector<std::string> parts;
  for (const char byte : alphabet) parts.emplace_back(1, byte);
  while (merges.size() < count) {
    std::pair<std::string, std::string> merge(parts[random() % parts.size()], parts[random() % parts.size()]);
    if (std::find(merges.begin(), merges.end(), merge) != merges.end()) continue;
    parts.push_back(merge.first + merge.second);
    merges.push_back(std::move(merge));
  }
  return merges;
}

std::string random_text(std::mt19937& random, const std::vector<std::string>& letters, std::size_t count) {
  std::string text;
  for (std::size_t i = 0; i < count; ++i) text += letters[random() % letters.size()];
  return text;
}

void expect_same(const Tokenizer& tokenizer, const std::string& text, const Merges& merges) {
  std::vector<std::string> parts;
  for (const TokenId id : tokenizer.encode(text)) parts.emplace_back(tokenizer.token_bytes(id));
  ASSERT_EQ(parts, merge_naively(text, merges)) << text;
}

TEST(Bpe, MergesShortAndLongPiecesLikeTheObviousWay) {
  std::mt19937 random(7);
  for (int round = 0; round < 60; ++round) {
    const Merges merges = random_merges(random, "abc", 25);
    const auto tokenizer = open(file_with(merges));
    for (const std::size_t size : {1, 2, 3, 7, 20, 95, 96, 97, 300}) {
      expect_same(*tokenizer, random_text(random, {"a", "b", "c"}, size), merges);
    }
  }
}

TEST(Bpe, SeamsChangeNothing) {
  const std::vector<std::string> letters = {"\u4e00", "\u4e01", "\u4e40",     "\u4f00",
                                            "\u00e9", "\u00e8", "\U00020000", "a"};
  std::string bytes;
  for (const std::string& letter : letters) bytes += letter;
  std::mt19937 random(11);
  for (int round = 0; round < 60; ++round) {
    const Merges merges = random_merges(random, bytes, 40);  // most of them cut through characters
    const auto tokenizer = open(file_with(merges));
    for (const std::size_t size : {2, 5, 12, 60}) expect_same(*tokenizer, random_text(random, letters, size), merges);
  }
}

TEST(Bpe, LeftmostOfEqualRanksComesFirst) {
  const auto tokenizer = open(file_with({{"a", "a"}}));
  EXPECT_EQ(shown(tokenizer->encode("aaaaa")), "<256><256>a");
  EXPECT_EQ(shown(tokenizer->encode(std::string(201, 'a'))).substr(495), "<256>a");
}

TEST(Bpe, IgnoreMergesTakesWholePiecesFromTheVocabulary) {
  Json file = file_with({{"a", "b"}});
  file["model"]["vocab"]["abc"] = 257;
  EXPECT_EQ(shown(open(file)->encode("abc")), "<256>c");
  file["model"]["ignore_merges"] = true;
  EXPECT_EQ(shown(open(file)->encode("abc")), "<257>");
  EXPECT_EQ(shown(open(file)->encode("abcd")), "<256>cd");  // only whole pieces
  EXPECT_EQ(shown(open(file)->encode("abc abc")), "<257> <256>c");
}

TEST(Bpe, EntriesThatMergingDoesNotLeadToAreNotUsed) {
  Json file = file_with({{"b", "c"}, {"a", "b"}});
  file["model"]["vocab"]["abc"] = 258;
  EXPECT_EQ(shown(open(file)->encode("abc")), "a<256>");
}

TEST(Bpe, AMergeThatStandsTwiceHasItsLaterRank) {
  Json file = file_with({{"a", "b"}, {"b", "c"}});
  EXPECT_EQ(shown(open(file)->encode("abc")), "<256>c");
  file["model"]["merges"].push_back({"a", "b"});
  EXPECT_EQ(shown(open(file)->encode("abc")), "a<257>");
}

TEST(Bpe, MissingBytesAreDroppedOrUnknown) {
  Json file = file_with({{"a", "b"}});
  file["model"]["vocab"].erase("x");
  EXPECT_EQ(shown(open(file)->encode("axxb")), "<256>");  // as the library: what stands around may merge
  file["model"]["vocab"]["<unk>"] = 300;
  file["model"]["unk_token"] = "<unk>";
  EXPECT_EQ(shown(open(file)->encode("axxb")), "a<300><300>b");
  EXPECT_EQ(shown(open(file)->encode_spans("axxb")), "[0,1][1,2][2,3][3,4]");
  file["model"]["fuse_unk"] = true;
  EXPECT_EQ(shown(open(file)->encode("axxb")), "a<300>b");
  EXPECT_EQ(shown(open(file)->encode_spans("axxb")), "[0,1][1,3][3,4]");
}

TEST(Bpe, EntriesOutsideTheByteAlphabetAreNeverReached) {
  Json file = file_with({{"a", "b"}});
  file["model"]["vocab"]["a b"] = 257;  // a space is not of the alphabet
  file["model"]["ignore_merges"] = true;
  const auto tokenizer = open(file);
  EXPECT_EQ(shown(tokenizer->encode("a b")), "a b");
  EXPECT_EQ(tokenizer->token_bytes(257), "a b");
  EXPECT_EQ(tokenizer->find("a b"), TokenId{257});
}

TEST(Bpe, LongPiecesTakeTimeInProportion) {
  const Merges merges = {{"a", "a"}, {"aa", "aa"}, {"aaaa", "aaaa"}};
  const auto tokenizer = open(file_with(merges));
  EXPECT_EQ(tokenizer->count(std::string(std::size_t{1} << 20U, 'a')), std::size_t{1} << 17U);
  EXPECT_EQ(tokenizer->count(std::string(std::size_t{1} << 20U, 'b')), std::size_t{1} << 20U);
}

}  // namespace
}  // namespace tokenizer
