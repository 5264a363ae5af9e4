// The answers of Hugging Face's tokenizers that lie in data/: ids, spans and texts for a few hundred strings a family.
#include <gtest/gtest.h>

#include <fstream>
#include <nlohmann/json.hpp>

#include "tokenizer/incremental_decoder.hpp"
#include "tokenizer/tokenizer.hpp"

namespace tokenizer {
namespace {

using Json = nlohmann::json;

class Golden : public ::testing::TestWithParam<const char*> {};

Json spans_of(const std::vector<TokenSpan>& spans) {
  Json list = Json::array();
  for (const TokenSpan& span : spans) list.push_back({span.start, span.stop});
  return list;
}

TEST_P(Golden, IdsSpansAndTextsAreTheLibrarys) {
  const std::string folder = std::string(PLUMBLINE_SOURCE_DIR "/tokenizer/tests/data/") + GetParam();
  const auto opened = Tokenizer::from_file(folder);
  ASSERT_TRUE(opened) << opened.error().text;
  const Tokenizer& tokenizer = **opened;
  std::ifstream file(folder + "/golden.jsonl");
  int count = 0;
  for (std::string line; std::getline(file, line); ++count) {
    const Json golden = Json::parse(line);
    const auto text = golden["text"].get<std::string>();
    const auto ids = golden["ids"].get<std::vector<TokenId>>();
    EXPECT_EQ(tokenizer.encode(text), ids) << line;
    EXPECT_EQ(tokenizer.count(text), ids.size());
    EXPECT_EQ(Json(tokenizer.encode(text, {SpecialTokens::omit, TokenText::recognise})), golden["ids_plain"]) << line;
    EXPECT_EQ(spans_of(tokenizer.encode_spans(text)), golden["spans"]) << line;
    EXPECT_EQ(Json(tokenizer.decode(ids)), golden["decoded"]) << line;
    EXPECT_EQ(Json(tokenizer.decode(ids, SpecialText::keep)), golden["decoded_keep"]) << line;
    IncrementalDecoder decoder(tokenizer);
    std::string pieces;
    for (const TokenId id : ids) pieces += decoder.push(id);
    EXPECT_EQ(Json(pieces + decoder.finish()), golden["decoded"]) << line;
  }
  EXPECT_GE(count, 100) << folder;
}

INSTANTIATE_TEST_SUITE_P(Families, Golden, ::testing::Values("llama3", "qwen2", "qwen2.5", "gpt2", "oddities"),
                         [](const auto& param) {
                           std::string name = param.param;
                           std::erase(name, '.');
                           return name;
                         });

}  // namespace
}  // namespace tokenizer
