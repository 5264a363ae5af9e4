// YAML and JSON text to documents: values, lines, and everything hostile.
#include "loadgen/plan/document.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace loadgen {
namespace {

using testing::HasSubstr;

Json root_of(std::string_view text) {
  auto document = read_document(text, "x.yaml");
  if (!document) ADD_FAILURE() << errors_text(document.error());
  return document ? document->root : Json();
}
std::string error_of(std::string_view text) {
  const auto document = read_document(text, "x.yaml");
  return document ? "no error" : errors_text(document.error());
}

TEST(Document, ReadsPlainWordsAsJsonDoes) {
  EXPECT_EQ(root_of("{a: 1, b: -2, c: 1.5, d: 1e3, e: true, f: null, g: ~, h: word, i: -0}"),
            Json::parse(R"({"a":1,"b":-2,"c":1.5,"d":1000.0,"e":true,"f":null,"g":null,"h":"word","i":0})"));
  EXPECT_EQ(root_of("{a: '1', b: \"true\", c: 010, d: 0x1f, e: 1_000, f: .5, g: 5., h: +1, i: .inf, j: yes, k: 1e999}"),
            Json::parse(R"({"a":"1","b":"true","c":"010","d":"0x1f","e":"1_000","f":".5","g":"5.","h":"+1","i":".inf",
                            "j":"yes","k":"1e999"})"));
  EXPECT_EQ(root_of("a: |\n  two\n  lines\nb: >\n  one\n  line\n"),
            Json::parse(R"({"a":"two\nlines\n","b":"one line\n"})"));
}

TEST(Document, ReadsJsonAsItIs) {
  const std::string_view text =
      "{\n\t\"a\": [1, {\"b\": \"\\u4e2d \\ud83d\\ude00 \\\\ud83d \\/ \\n\"}],\r\n\t\"c\":\"d\"\n}";
  EXPECT_EQ(root_of(text), Json::parse(text));
  const auto document = read_document(text, "x.json");
  EXPECT_EQ(document->origins.at("/a/1/b").line, 2);
  EXPECT_EQ(document->origins.at("/c").line, 3);
}

TEST(Document, RemembersTheLineOfEachKey) {
  const auto document = read_document("a: 1\n\nb:\n  c:\n    - x\n    - y: 2\n      z: 3\n", "x.yaml");
  ASSERT_TRUE(document.has_value());
  EXPECT_EQ(document->origins.at("/a").line, 1);
  EXPECT_EQ(document->origins.at("/b").line, 3);
  EXPECT_EQ(document->origins.at("/b/c").line, 4);
  EXPECT_EQ(document->origins.at("/b/c/0").line, 5);
  EXPECT_EQ(document->origins.at("/b/c/1/z").line, 7);
  const ScenarioError error = document->error_at("/b/c/1/missing", "is wrong");
  EXPECT_EQ(error.line, 6);
  EXPECT_EQ(error.field, "b.c[1].missing");
}

TEST(Document, AcceptsAByteOrderMark) {
  EXPECT_EQ(root_of("\xef\xbb\xbf"
                    "a: 1"),
            Json({{"a", 1}}));
}

TEST(Document, RefusesWhatIsNotText) {
  EXPECT_THAT(error_of("a: 1\nb: \xff\n"), HasSubstr("x.yaml:2: is not UTF-8"));
  EXPECT_THAT(error_of("a: \xe4\xb8\xad\nb: \xe4\xb8"), HasSubstr("x.yaml:2: is not UTF-8"));
  EXPECT_THAT(error_of(std::string_view("a: 1\n\0", 6)), HasSubstr("x.yaml:2: holds the control character 0x00"));
  EXPECT_THAT(error_of("a: \x1b[31m"), HasSubstr("0x1b"));
  EXPECT_THAT(error_of("\xff\xfe"
                       "a\0:\0"),
              HasSubstr("is not UTF-8"));
}

TEST(Document, RefusesBombs) {
  EXPECT_THAT(error_of("a: &a [x]\nb: [*a, *a]\n"), HasSubstr("x.yaml:1: anchors"));
  EXPECT_THAT(error_of(std::string(200'000, '[')), HasSubstr("x.yaml:1: "));
  EXPECT_THAT(error_of("a: " + std::string(200'000, '{')), HasSubstr("x.yaml:1: "));
  std::string blocks = "a:\n";
  for (std::size_t i = 1; i < 300; ++i) blocks += std::string(i, ' ') + "a:\n";
  EXPECT_THAT(error_of(blocks), HasSubstr("nested deeper"));
  EXPECT_THAT(error_of(std::string(max_document_bytes + 1, 'a')), HasSubstr("larger than 4 MiB"));
  std::string items = "a: [", keys;
  for (std::size_t i = 0; i <= max_document_values; ++i) items += "1,";
  EXPECT_THAT(error_of(items + "]"), HasSubstr("more than 100000 values"));
  for (std::size_t i = 0; i <= max_document_keys; ++i) keys += "k" + std::to_string(i) + ": 1\n";
  EXPECT_THAT(error_of(keys), HasSubstr("x.yaml:257: more than 256 keys"));
}

TEST(Document, RefusesSurrogatesWithoutTheirPair) {
  EXPECT_THAT(error_of(R"({"a": "\ud83d"})"), HasSubstr("x.yaml:1"));
  EXPECT_THAT(error_of(R"({"a": "\ude00\ud83d"})"), HasSubstr("x.yaml:1"));
}

TEST(Document, ShowsNoControlCharactersOfTheFile) {
  const std::string text = error_of("\"a\\e[31m\": 1\n\"a\\e[31m\": 2\n");
  EXPECT_THAT(text, HasSubstr("given twice"));
  EXPECT_EQ(text.find('\x1b'), std::string::npos);
}

TEST(Document, EveryPrefixOfAScenarioEndsInAnAnswer) {
  const std::string text =
      "schema_version: 1\nname: \"a\\u4e2d\"\nload: {mode: closed, concurrency: 4}\nmix:\n  - name: a\n    prompts: "
      "[x, 'y']\n";
  for (std::size_t length = 0; length < text.size(); ++length) {
    const auto document = read_document(std::string_view(text).substr(0, length), "x.yaml");
    EXPECT_TRUE(document.has_value() || !document.error().empty());
  }
}

}  // namespace
}  // namespace loadgen
