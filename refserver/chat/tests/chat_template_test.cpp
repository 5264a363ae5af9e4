// Where templates come from, what they are told, and how their errors read.
#include "refserver/chat/chat_template.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <thread>

namespace refserver {
namespace {

using nlohmann::ordered_json;
using ::testing::HasSubstr;
using ::testing::StartsWith;

const ordered_json kNoTokens = ordered_json::object();
const ordered_json kHi = {{{"role", "user"}, {"content", "Hi"}}};

/// A folder that is gone at the end of the test.
class Folder {
 public:
  Folder() : path_(std::filesystem::temp_directory_path() / ("chat_template_test_" + std::to_string(::getpid()))) {
    std::filesystem::remove_all(path_);
    std::filesystem::create_directories(path_);
  }
  ~Folder() { std::filesystem::remove_all(path_); }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  void write(const std::string& name, const std::string& text) const { std::ofstream(path_ / name) << text; }
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

std::string error_of_folder(const Folder& folder) {
  const auto loaded = ChatTemplate::from_folder(folder.path());
  EXPECT_FALSE(loaded);
  if (loaded) return "";
  EXPECT_EQ(loaded.error().type, ErrorType::template_error);
  return loaded.error().text;
}

std::string render(const Result<std::shared_ptr<const ChatTemplate>, Error>& loaded,
                   ChatInput input = {.messages = kHi}) {
  if (!loaded) return "load: " + loaded.error().text;
  const auto prompt = (*loaded)->render(input);
  return prompt ? *prompt : "render: " + prompt.error().text;
}

TEST(ChatTemplateFolder, AFileOfItsOwnWinsOverTheMember) {
  const Folder folder;
  folder.write("chat_template.jinja", "file {{ messages[0].content }} {{ bos_token }}{{ eos_token }}\n");
  folder.write(
      "tokenizer_config.json",
      R"({"chat_template":"member","bos_token":{"content":"<s>","lstrip":false},"eos_token":"</s>","unk_token":null})");
  EXPECT_EQ(render(ChatTemplate::from_folder(folder.path())), "file Hi <s></s>");
}

TEST(ChatTemplateFolder, TheMemberIsATextOrAListOfNamedOnes) {
  const Folder folder;
  folder.write("tokenizer_config.json", R"({"chat_template":"one {{ eos_token is defined }}"})");
  EXPECT_EQ(render(ChatTemplate::from_folder(folder.path())), "one False");
  folder.write("tokenizer_config.json",
               R"({"chat_template":[{"name":"tool_use","template":"no"},{"name":"default","template":"yes"}]})");
  EXPECT_EQ(render(ChatTemplate::from_folder(folder.path())), "yes");
}

TEST(ChatTemplateFolder, WhatIsMissingOrBrokenIsNamed) {
  const Folder folder;
  EXPECT_THAT(error_of_folder(folder), HasSubstr("the model has no chat template"));
  folder.write("tokenizer_config.json", R"({"bos_token":"<s>"})");
  EXPECT_THAT(error_of_folder(folder), HasSubstr("no chat_template in"));
  folder.write("tokenizer_config.json", R"({"chat_template":[{"name":"rag","template":"x"}]})");
  EXPECT_THAT(error_of_folder(folder), HasSubstr("no template named \"default\""));
  folder.write("tokenizer_config.json", R"({"chat_template":7})");
  EXPECT_THAT(error_of_folder(folder), HasSubstr("neither a text nor a list"));
  folder.write("tokenizer_config.json", "{");
  EXPECT_THAT(error_of_folder(folder), HasSubstr("is not a JSON object"));
  folder.write("tokenizer_config.json", R"({"chat_template":"a\n{% if %}"})");
  EXPECT_EQ(error_of_folder(folder), "expected an expression, got end of statement (in <string>:2)");
}

TEST(ChatTemplateFolder, NoFolderIsNoCrash) {
  const auto loaded = ChatTemplate::from_folder("/nonexistent/folder");
  ASSERT_FALSE(loaded);
  EXPECT_THAT(loaded.error().text, HasSubstr("/nonexistent/folder/tokenizer_config.json"));
}

TEST(ChatTemplate, BuiltInNamesAreThree) {
  for (const char* family : {"qwen2", "qwen2.5", "llama3"})
    EXPECT_THAT(render(ChatTemplate::built_in(family)), HasSubstr("Hi"));
  EXPECT_EQ(render(ChatTemplate::built_in("gpt2")),
            "load: no built-in chat template is called 'gpt2': there are qwen2, qwen2.5 and llama3");
}

TEST(ChatTemplate, VariablesAreThoseOfTransformers) {
  const auto loaded = ChatTemplate::from_text(
      "{{ tools is none }} {{ documents is none }} {{ add_generation_prompt }} {{ bos_token }} {{ more }} {{ less is "
      "defined }}",
      {{"bos_token", "<s>"}});
  const ordered_json variables = {{"more", {1, "a"}}, {"bos_token", "<S>"}};
  EXPECT_EQ(render(loaded), "True True True <s>  False");
  EXPECT_EQ(render(loaded, {.messages = kHi, .tools = &kHi, .add_generation_prompt = false, .variables = &variables}),
            "False True False <S> [1, 'a'] False");
  const ordered_json taken = {{"messages", 1}};
  EXPECT_THAT(render(loaded, {.messages = kHi, .variables = &taken}), HasSubstr("'messages' cannot be given twice"));
}

TEST(ChatTemplate, WhatATemplateRaisesComesOutWithItsLine) {
  const auto loaded = ChatTemplate::from_text(
      "\n{% if messages %}\n{{ raise_exception('Roles must alternate') }}{% endif %}", kNoTokens);
  EXPECT_EQ(render(loaded), "render: Roles must alternate (in <string>:3)");
}

TEST(ChatTemplate, NowIsGivenAndNotKept) {
  const auto loaded = ChatTemplate::from_text("{{ strftime_now('%Y-%m-%dT%H:%M:%S.%f %z%%') }}", kNoTokens);
  const auto at = [](std::int64_t seconds) {
    return std::chrono::system_clock::time_point(std::chrono::seconds(seconds));
  };
  ::setenv("TZ", "UTC", 1);
  ::tzset();
  EXPECT_EQ(render(loaded, {.messages = kHi, .now = at(1735689600)}), "2025-01-01T00:00:00.000000 %");
  EXPECT_EQ(render(loaded, {.messages = kHi, .now = at(1735689601)}), "2025-01-01T00:00:01.000000 %");
}

TEST(ChatTemplate, OneTemplateServesManyThreads) {
  const auto loaded = ChatTemplate::built_in("llama3");
  ASSERT_TRUE(loaded);
  const std::string wanted = *(*loaded)->render({.messages = kHi});
  std::vector<std::thread> threads;
  std::atomic<int> same = 0;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] {
      for (int round = 0; round < 50; ++round) same += *(*loaded)->render({.messages = kHi}) == wanted ? 1 : 0;
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(same, 200);
}

TEST(ChatTemplate, CutAfterContent) {
  EXPECT_EQ(cut_after_content("<user>Hi<end><bot>Hel lo<end><bot>", "Hel lo"), "<user>Hi<end><bot>Hel lo");
  EXPECT_EQ(cut_after_content("a Hello b Hello c", "Hello"), "a Hello b Hello");
  EXPECT_EQ(cut_after_content("<bot>Hello <end>", "Hello "), "<bot>Hello");
  EXPECT_EQ(cut_after_content("<bot>trimmed<end>", "  trimmed\n"), "<bot>trimmed");
  EXPECT_EQ(cut_after_content("<bot>", "not there"), "<bot>");
  EXPECT_EQ(cut_after_content("<bot>\n ", ""), "<bot>");
}

TEST(ChatTemplate, InputThatIsNoTextIsRefused) {
  const auto loaded = ChatTemplate::from_text("{{ messages }}", kNoTokens);
  const ordered_json broken = {{{"role", "user"}, {"content", "\xff"}}};
  EXPECT_THAT(render(loaded, {.messages = broken}), StartsWith("render: a text in the messages is not UTF-8"));
  const ordered_json huge = {18446744073709551615U};
  EXPECT_THAT(render(loaded, {.messages = huge}), HasSubstr("beyond 64 bits"));
  EXPECT_THAT(render(ChatTemplate::from_text("\xc3\x28", kNoTokens)), HasSubstr("not UTF-8"));
}

}  // namespace
}  // namespace refserver
