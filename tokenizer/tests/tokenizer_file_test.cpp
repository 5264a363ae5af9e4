// What a tokenizer.json may ask for, and how everything else is refused: by the member's name and its value.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <functional>
#include <string>

#include "tokenizer/tests/small_tokenizer.hpp"

namespace tokenizer {
namespace {

using testing::add_token;
using testing::byte_level;
using testing::file_with;
using ::testing::HasSubstr;
using testing::Json;
using testing::open;
using testing::shown;
using ::testing::StartsWith;

std::string error_of(std::string_view json) {
  const auto tokenizer = Tokenizer::from_json(json);
  return tokenizer ? "" : tokenizer.error().text;
}

struct Refusal {
  const char* name;
  std::function<void(Json&)> change;
  const char* error;  ///< starts with this
};

class Refused : public ::testing::TestWithParam<Refusal> {};

TEST_P(Refused, NamesTheMember) {
  Json file = file_with({{"a", "b"}});
  GetParam().change(file);
  EXPECT_THAT(error_of(file.dump()), StartsWith(GetParam().error));
}

Json template_of(const Json& single) {
  return {{"type", "TemplateProcessing"},
          {"single", single},
          {"pair", Json::array()},
          {"special_tokens", {{"<s>", {{"id", "<s>"}, {"ids", {97}}, {"tokens", {"<s>"}}}}}}};
}
const Json kText = {{"Sequence", {{"id", "A"}, {"type_id", 0}}}};
Json special(const char* name) {
  return {{"SpecialToken", {{"id", name}, {"type_id", 0}}}};
}

const Refusal kRefusals[] = {
    {"Version", [](Json& f) { f["version"] = "2.0"; }, "version: \"2.0\" is not a known version"},
    {"NoModel", [](Json& f) { f.erase("model"); }, "model: is missing"},
    {"ModelType", [](Json& f) { f["model"]["type"] = "WordPiece"; }, "model.type: \"WordPiece\" is not supported"},
    {"NoVocabulary", [](Json& f) { f["model"].erase("vocab"); }, "model.vocab: is missing"},
    {"VocabularyList", [](Json& f) { f["model"]["vocab"] = Json::array(); }, "model.vocab: [...] is not an object"},
    {"NoMerges", [](Json& f) { f["model"].erase("merges"); }, "model.merges: is missing"},
    {"MergesObject", [](Json& f) { f["model"]["merges"] = Json::object(); }, "model.merges: {...} is not a list"},
    {"Dropout", [](Json& f) { f["model"]["dropout"] = 0.1; }, "model.dropout: 0.1 is not supported"},
    {"Prefix", [](Json& f) { f["model"]["continuing_subword_prefix"] = "##"; },
     "model.continuing_subword_prefix: \"##\""},
    {"Suffix", [](Json& f) { f["model"]["end_of_word_suffix"] = "</w>"; }, "model.end_of_word_suffix: \"</w>\""},
    {"ByteFallback", [](Json& f) { f["model"]["byte_fallback"] = true; }, "model.byte_fallback: true is not supported"},
    {"UnknownMember", [](Json& f) { f["model"]["novelty"] = 1; }, "model.novelty: 1 is a member that"},
    {"IdTwice", [](Json& f) { f["model"]["vocab"]["zz"] = 5; }, "model.vocab["},
    {"IdHuge", [](Json& f) { f["model"]["vocab"]["zz"] = 1000000000; }, "model.vocab[\"zz\"]: 1000000000 is not an id"},
    {"IdNegative", [](Json& f) { f["model"]["vocab"]["zz"] = -1; }, "model.vocab[\"zz\"]: -1 is not an id"},
    {"IdFraction", [](Json& f) { f["model"]["vocab"]["zz"] = 1.5; }, "model.vocab[\"zz\"]: 1.5 is not an id"},
    {"IdText", [](Json& f) { f["model"]["vocab"]["zz"] = "7"; }, "model.vocab[\"zz\"]: \"7\" is not an id"},
    {"IdObject", [](Json& f) { f["model"]["vocab"]["zz"] = Json::object(); }, "model.vocab[\"zz\"]: a list or object"},
    {"MergeUnknown",
     [](Json& f) {
       f["model"]["merges"].push_back({"a", "q"});
     },
     "model.merges[1]: \"aq\" is not in model"},
    {"MergeTriple",
     [](Json& f) {
       f["model"]["merges"].push_back({"a", "b", "c"});
     },
     "model.merges[1]: is not a pair"},
    {"MergeSingle", [](Json& f) { f["model"]["merges"].push_back(Json::array({"a"})); },
     "model.merges[1]: is not a pair"},
    {"MergeNumber", [](Json& f) { f["model"]["merges"].push_back(3); }, "model.merges[1]: 3 is neither"},
    {"MergeMixed", [](Json& f) { f["model"]["merges"].push_back("a b"); }, "model.merges[1]: is written differently"},
    {"MergeSpaces", [](Json& f) { f["model"]["merges"] = {"a b c"}; }, "model.merges[0]: \"a b c\" is not two parts"},
    {"MergeNoSpace", [](Json& f) { f["model"]["merges"] = {"ab"}; }, "model.merges[0]: \"ab\" is not two parts"},
    {"UnkMissing",
     [](Json& f) {
       f["model"]["unk_token"] = "<unk>";
       f["model"]["vocab"].erase("z");
     },
     "model.unk_token: \"<unk>\" is not in model.vocab"},
    {"Normalizer",
     [](Json& f) {
       f["normalizer"] = {{"type", "Lowercase"}};
     },
     "normalizer.type: \"Lowercase\""},
    {"NormalizerNested",
     [](Json& f) {
       f["normalizer"] = {{"type", "Sequence"}, {"normalizers", {{{"type", "NFC"}}, {{"type", "NFKC"}}}}};
     },
     "normalizer.normalizers[1].type: \"NFKC\" is not supported"},
    {"NoPreTokenizer", [](Json& f) { f["pre_tokenizer"] = nullptr; }, "pre_tokenizer: null is not supported"},
    {"PreTokenizerType",
     [](Json& f) {
       f["pre_tokenizer"] = {{"type", "Metaspace"}};
     },
     "pre_tokenizer.type: \"Metaspace\""},
    {"SplitAlone", [](Json& f) { f["pre_tokenizer"] = testing::split(testing::kQwen2Pattern); },
     "pre_tokenizer: has no Byte"},
    {"AfterByteLevel", [](Json& f) { f["pre_tokenizer"]["pretokenizers"].push_back(byte_level()); },
     "pre_tokenizer.pretokenizers[2].type: \"ByteLevel\" comes after ByteLevel"},
    {"Pattern", [](Json& f) { f["pre_tokenizer"]["pretokenizers"][0]["pattern"]["Regex"] = "\\w+"; },
     "pre_tokenizer.pretokenizers[0].pattern.Regex: \"\\\\w+\" is not a known pattern"},
    {"PatternText",
     [](Json& f) {
       f["pre_tokenizer"]["pretokenizers"][0]["pattern"] = {{"String", " "}};
     },
     "pre_tokenizer.pretokenizers[0].pattern.String: \" \" is not supported"},
    {"Behavior", [](Json& f) { f["pre_tokenizer"]["pretokenizers"][0]["behavior"] = "Contiguous"; },
     "pre_tokenizer.pretokenizers[0].behavior: \"Contiguous\" is not supported"},
    {"Decoder",
     [](Json& f) {
       f["decoder"] = {{"type", "Metaspace"}};
     },
     "decoder.type: \"Metaspace\" is not supported"},
    {"NoDecoder", [](Json& f) { f.erase("decoder"); }, "decoder: null is not supported"},
    {"PostProcessor",
     [](Json& f) {
       f["post_processor"] = {{"type", "BertProcessing"}};
     },
     "post_processor.type: \"Bert"},
    {"TemplateToken",
     [](Json& f) {
       f["post_processor"] = template_of({special("<t>"), kText});
     },
     "post_processor.single[0].SpecialToken.id: \"<t>\" does not stand in special_tokens"},
    {"TemplateTextTwice",
     [](Json& f) {
       f["post_processor"] = template_of({kText, kText});
     },
     "post_processor.single: must have the text (A) once"},
    {"TemplatePair",
     [](Json& f) {
       f["post_processor"] = template_of({{{"Sequence", {{"id", "B"}, {"type_id", 0}}}}});
     },
     "post_processor.single[0].Sequence.id: \"B\" is not the text"},
    {"TemplateId",
     [](Json& f) {
       f["post_processor"] = template_of({special("<s>"), kText});
       f["post_processor"]["special_tokens"]["<s>"]["ids"] = {999};
     },
     "post_processor: no token has the id 999"},
    {"AddedGap",
     [](Json& f) {
       add_token(f, "<x>");
       f["added_tokens"][0]["id"] = 300;
     },
     "added_tokens[0].id: 300 for \"<x>\", but 257 entries"},
    {"AddedOther",
     [](Json& f) {
       add_token(f, "ab");
       f["added_tokens"][0]["id"] = 300;
     },
     "added_tokens[0].id: 300, but model.vocab has \"ab\" as 256"},
    {"AddedHuge",
     [](Json& f) {
       add_token(f, "<x>");
       f["added_tokens"][0]["id"] = 4000000000;
     },
     "added_tokens[0].id: 4000000000 is not an id"},
    {"AddedTwice",
     [](Json& f) {
       add_token(f, "<x>");
       add_token(f, "<x>");
     },
     "added_tokens[1].content: \"<x>\" stands in the list twice"},
    {"AddedEmpty", [](Json& f) { add_token(f, ""); }, "added_tokens[0].content: \"\" can never be found"},
    {"AddedLong", [](Json& f) { add_token(f, std::string(1025, 'x')); }, "added_tokens[0].content: \"xxx"},
    {"AddedSameForm",
     [](Json& f) {
       f["normalizer"] = {{"type", "NFC"}};
       add_token(f, "\u00e9", {"normalized"});
       add_token(f, "e\u0301", {"normalized"});
     },
     "added_tokens[1].content: \"e\u0301\" has the same normalised form"},
    {"AddedOption",
     [](Json& f) {
       add_token(f, "<x>");
       f["added_tokens"][0].erase("lstrip");
     },
     "added_tokens[0].lstrip: is missing"},
};

INSTANTIATE_TEST_SUITE_P(TokenizerFile, Refused, ::testing::ValuesIn(kRefusals),
                         [](const auto& param) { return std::string(param.param.name); });

TEST(TokenizerFile, RefusesWhatIsNotJson) {
  EXPECT_THAT(error_of(""), StartsWith("not JSON: "));
  EXPECT_THAT(error_of("{\"model\": "), StartsWith("not JSON: "));
  EXPECT_THAT(error_of("[]"), StartsWith("not a JSON object"));
  EXPECT_THAT(error_of("{\"a\":\"\xff\"}"), StartsWith("not JSON: "));
}

TEST(TokenizerFile, RefusesMembersThatStandTwice) {
  EXPECT_EQ(error_of(R"({"model":{"dropout":null,"dropout":0.5}})"), "model.dropout: stands twice");
  EXPECT_EQ(error_of(R"({"model":{"vocab":{},"vocab":{}}})"), "model.vocab: stands twice");
  EXPECT_EQ(error_of(R"({"model":{"merges":[],"merges":[]}})"), "model.merges: stands twice");
  std::string text = file_with().dump();
  text.replace(text.find(R"("a":97)"), 6, R"("a":97,"a":300)");
  EXPECT_EQ(error_of(text), "model.vocab[\"a\"]: stands twice");
}

TEST(TokenizerFile, RefusesDeepNesting) {
  const std::string deep(100000, '[');
  EXPECT_THAT(error_of("{\"x\":" + deep), HasSubstr("nested deeper than 32 levels"));
  EXPECT_THAT(error_of("{\"model\":{\"vocab\":{\"a\":" + deep), HasSubstr("model.vocab[\"a\"]"));
  EXPECT_THAT(error_of("{\"model\":{\"merges\":" + deep), HasSubstr("model.merges[0]"));
}

TEST(TokenizerFile, RefusesTooManyValues) {
  std::string text = "{\"x\":[0";
  for (int i = 0; i < 1'000'000; ++i) text += ",0";
  EXPECT_THAT(error_of(text + "]}"), HasSubstr("the file has more than 1000000 values"));
}

TEST(TokenizerFile, TakesBothSpellingsOfMerges) {
  Json file = file_with({{"a", "b"}, {" ", "ab"}});
  const auto pairs = open(file);
  file["model"]["merges"] = {"#version: 0.2", "a b", "\u0120 ab"};
  const auto lines = open(file);
  EXPECT_EQ(shown(pairs->encode("ab ab")), "<256><257>");
  EXPECT_EQ(pairs->encode("ab ab"), lines->encode("ab ab"));
}

TEST(TokenizerFile, TakesWhatRealFilesHave) {
  Json file = file_with({{"a", "b"}});
  file["truncation"] = nullptr;
  file["padding"] = nullptr;
  file["model"].erase("type");  // as in older files of GPT-2
  for (const char* name : {"dropout", "unk_token"}) file["model"][name] = nullptr;
  for (const char* name : {"continuing_subword_prefix", "end_of_word_suffix"}) file["model"][name] = "";
  for (const char* name : {"fuse_unk", "byte_fallback", "ignore_merges"}) file["model"][name] = false;
  file["normalizer"] = {{"type", "Sequence"}, {"normalizers", {{{"type", "NFC"}}}}};
  file["decoder"] = {{"type", "Sequence"}, {"decoders", {byte_level()}}};
  file["post_processor"] = {{"type", "Sequence"}, {"processors", {byte_level(), template_of({special("<s>"), kText})}}};
  const auto tokenizer = open(file);
  EXPECT_EQ(shown(tokenizer->encode("abc")), "a<256>c");
  EXPECT_EQ(shown(tokenizer->encode("abc", {SpecialTokens::omit, TokenText::recognise})), "<256>c");
}

TEST(TokenizerFile, ErrorsNameTheFile) {
  const std::filesystem::path folder = ::testing::TempDir();
  EXPECT_THAT(Tokenizer::from_file(folder / "absent.json").error().text, HasSubstr("absent.json: cannot be opened"));
  std::ofstream(folder / "tokenizer.json") << "{}";
  EXPECT_THAT(Tokenizer::from_file(folder).error().text, HasSubstr("tokenizer.json: "));
  std::ofstream(folder / "tokenizer.json") << file_with().dump();
  EXPECT_TRUE(Tokenizer::from_file(folder).has_value());
  EXPECT_TRUE(Tokenizer::from_file(folder / "tokenizer.json").has_value());
  std::filesystem::remove(folder / "tokenizer.json");
}

}  // namespace
}  // namespace tokenizer
