// What the program `tokenize` makes of lines, good and bad.
#include "refserver/tokenize/converter.hpp"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace refserver::tokenize {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

class ConverterTest : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    tokenizer_ = *tokenizer::Tokenizer::from_file(PLUMBLINE_SOURCE_DIR "/tokenizer/tests/data/llama3");
    chat_template_ = *ChatTemplate::built_in("qwen2");
  }
  static void TearDownTestSuite() {
    tokenizer_.reset();
    chat_template_.reset();
  }

  static Result<std::string, Problem> convert(Conversion conversion, std::string_view line) {
    return Converter(conversion, tokenizer_, chat_template_).convert(line);
  }
  static std::string good(Conversion conversion, std::string_view line) {
    const auto printed = convert(conversion, line);
    return printed ? *printed : "error: " + printed.error().text;
  }
  static std::string problem(Task task, std::string_view line) {
    const auto printed = convert({.task = task}, line);
    return printed ? "no error: " + *printed : printed.error().text;
  }

  static std::shared_ptr<const tokenizer::Tokenizer> tokenizer_;
  static std::shared_ptr<const ChatTemplate> chat_template_;
};
std::shared_ptr<const tokenizer::Tokenizer> ConverterTest::tokenizer_;
std::shared_ptr<const ChatTemplate> ConverterTest::chat_template_;

constexpr tokenizer::EncodeOptions kNoSpecial{tokenizer::SpecialTokens::omit, tokenizer::TokenText::recognise};

TEST_F(ConverterTest, TextsBecomeIds) {
  const std::string ids = good({}, R"("a\nb")");
  EXPECT_EQ(ids, fmt::format("[{}]", fmt::join(tokenizer_->encode("a\nb"), ",")));
  EXPECT_EQ(good({}, R"({"prompt":"a\nb","n":1})"), ids);
  EXPECT_EQ(good({}, R"({"inputs":"a\nb"})"), ids);
  EXPECT_EQ(good({.form = InputForm::text}, "a"), good({}, R"("a")"));
  EXPECT_NE(good({.encode = kNoSpecial}, R"("a\nb")"), ids);
  EXPECT_EQ(good({.encode = kNoSpecial}, R"("")"), "[]");
  EXPECT_EQ(good({.task = Task::count, .encode = kNoSpecial}, R"("a")"), "1");
  EXPECT_EQ(good({.task = Task::spans, .encode = kNoSpecial}, R"("a")"),
            fmt::format("[[{},0,1]]", tokenizer_->encode("a", kNoSpecial).front()));
}

TEST_F(ConverterTest, IdsBecomeTexts) {
  const std::string text = "Hello \u4E16\u754C \"quoted\"\n";
  const std::string line = fmt::format("[{}]", fmt::join(tokenizer_->encode(text), ","));
  EXPECT_EQ(good({.task = Task::decode}, line), R"("Hello 世界 \"quoted\"\n")");
  EXPECT_EQ(good({.task = Task::decode, .decode = tokenizer::SpecialText::keep}, line),
            R"("<|begin_of_text|>Hello 世界 \"quoted\"\n")");
  EXPECT_EQ(good({.task = Task::decode}, "[]"), R"("")");
}

TEST_F(ConverterTest, ConversationsBecomePrompts) {
  const std::string messages = R"([{"role":"system","content":"S"},{"role":"user","content":"U"}])";
  const std::string prompt = R"(<|im_start|>system\nS<|im_end|>\n<|im_start|>user\nU<|im_end|>\n)";
  EXPECT_EQ(good({.task = Task::chat}, messages), "\"" + prompt + R"(<|im_start|>assistant\n")");
  EXPECT_EQ(good({.task = Task::chat}, R"({"add_generation_prompt":false,"messages":)" + messages + "}"),
            "\"" + prompt + "\"");
  EXPECT_EQ(good({.task = Task::chat_count, .encode = kNoSpecial}, R"({"add_generation_prompt":false,"messages":[]})"),
            std::to_string(tokenizer_->count("", kNoSpecial)));
}

TEST_F(ConverterTest, BadLinesAreRefused) {
  for (const char* line : {"1", "[\"a\"]", "{}", R"({"prompt":1})", R"({"prompt":"a","inputs":"b"})", "null"}) {
    EXPECT_THAT(problem(Task::encode, line), StartsWith("expected a JSON string")) << line;
    EXPECT_THAT(problem(Task::count, line), StartsWith("expected a JSON string")) << line;
  }
  for (const char* line : {"", "a", "\"a", "\"\xFF\"", R"("\ud800")"}) {
    for (const Task task : {Task::encode, Task::decode, Task::chat}) {
      EXPECT_THAT(problem(task, line), StartsWith("not JSON: ")) << line;
    }
  }
  EXPECT_EQ(problem(Task::decode, "\"a\""), "expected a list of ids");
  EXPECT_EQ(problem(Task::decode, "[1,-2]"), "-2 is not an id");
  EXPECT_EQ(problem(Task::decode, "[4294967296]"), "4294967296 is not an id");
  EXPECT_EQ(problem(Task::decode, "[1.5]"), "1.5 is not an id");
  EXPECT_EQ(problem(Task::decode, "[\"\\n\"]"), "\"\\n\" is not an id");
  const std::string deep = std::string(500'000, '[') + std::string(500'000, ']');
  EXPECT_EQ(problem(Task::decode, deep), "a list or an object is not an id");
  EXPECT_THAT(problem(Task::chat, "\"a\""), HasSubstr("expected a list of messages"));
  EXPECT_THAT(problem(Task::chat, "{}"), HasSubstr("expected a list of messages"));
  EXPECT_THAT(problem(Task::chat, R"({"messages":[],"tools":1})"), HasSubstr("\"tools\" is not a list"));
  EXPECT_THAT(problem(Task::chat, R"({"messages":[],"add_generation_prompt":1})"), HasSubstr("neither true nor false"));
}

}  // namespace
}  // namespace refserver::tokenize
