// Chat templates against transformers: golden/*.jsonl (make_goldens.py), and the file named by
// PLUMBLINE_TEMPLATE_CASES, which tests/chat_template_test.py fills with templates made at random.
#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string>

#include "refserver/chat/chat_template.hpp"

namespace refserver {
namespace {

using nlohmann::ordered_json;

Result<std::shared_ptr<const ChatTemplate>, Error> load(const ordered_json& test) {
  if (test.contains("family")) return ChatTemplate::built_in(test["family"].get<std::string>());
  return ChatTemplate::from_text(test["template"].get<std::string>(), test["special_tokens"]);
}

Result<std::string, Error> render(const ordered_json& test) {
  const auto chat_template = load(test);
  if (!chat_template) return chat_template.error();
  const ordered_json tools = test.value("tools", ordered_json());
  return (*chat_template)
      ->render({.messages = test["messages"],
                .tools = tools.is_null() ? nullptr : &tools,
                .add_generation_prompt = test.value("add_generation_prompt", false),
                .variables = &test["variables"]});
}

/// What Python calls a TemplateError was raised by the template: those words come out as they are.
void expect_raised_words(const std::string& wanted, const std::string& got) {
  constexpr std::string_view kRaised = "TemplateError: ";
  if (!wanted.starts_with(kRaised)) return;
  EXPECT_TRUE(got.starts_with(wanted.substr(kRaised.size()) + " (in <string>:")) << got;
}

void check_case(const ordered_json& test) {
  const auto got = render(test);
  if (test.contains("prompt")) {
    ASSERT_TRUE(got) << got.error().text;
    EXPECT_EQ(*got, test["prompt"].get<std::string>());
  } else {
    ASSERT_FALSE(got) << "transformers fails with " << test["error"] << ", this gives " << *got;
    EXPECT_EQ(got.error().type, ErrorType::template_error);
    expect_raised_words(test["error"].get<std::string>(), got.error().text);
  }
}

/// Every line is a case. A line without an outcome holds members for the lines after it.
void check_file(const std::string& path) {
  std::ifstream file(path);
  ASSERT_TRUE(file) << path;
  ordered_json shared = ordered_json::object();
  int cases = 0;
  for (std::string line; std::getline(file, line);) {
    ordered_json test = ordered_json::parse(line);
    if (!test.contains("prompt") && !test.contains("error")) {
      shared = test;
      continue;
    }
    for (const auto& [name, value] : shared.items()) {
      if (!test.contains(name)) test[name] = value;
    }
    SCOPED_TRACE(test.contains("name") ? test["name"].get<std::string>() : test["template"].dump());
    check_case(test);
    ++cases;
  }
  EXPECT_GT(cases, 40) << path;
  std::printf("%s: %d cases\n", path.c_str(), cases);
}

std::string golden(const std::string& name) {
  return PLUMBLINE_SOURCE_DIR "/refserver/chat/tests/golden/" + name + ".jsonl";
}

TEST(ChatGolden, Qwen2) {
  check_file(golden("qwen2"));
}
TEST(ChatGolden, Qwen25) {
  check_file(golden("qwen2.5"));
}
TEST(ChatGolden, Llama3) {
  check_file(golden("llama3"));
}
TEST(ChatGolden, SmallTemplates) {
  check_file(golden("small_templates"));
}

TEST(ChatGolden, MoreCases) {
  const char* path = std::getenv("PLUMBLINE_TEMPLATE_CASES");
  if (path == nullptr) GTEST_SKIP() << "PLUMBLINE_TEMPLATE_CASES names no file; chat_template_test.py does";
  check_file(path);
}

}  // namespace
}  // namespace refserver
