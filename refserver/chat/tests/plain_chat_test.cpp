// The plain chat rendering, turn by turn.
#include "refserver/chat/plain_chat.hpp"

#include <gtest/gtest.h>

#include <vector>

namespace refserver {
namespace {

TEST(PlainChat, TurnsEndWithAnOpenAnswer) {
  const std::vector<Message> messages = {
      {"system", "Be brief."}, {"user", "Hi"}, {"assistant", "Hello"}, {"user", "?"}};
  EXPECT_EQ(render_plain_chat(messages), "System: Be brief.\nUser: Hi\nAssistant: Hello\nUser: ?\nAssistant:");
}

TEST(PlainChat, ALastAssistantTurnIsContinued) {
  const std::vector<Message> messages = {{"user", "Count"}, {"assistant", "1, 2,"}};
  EXPECT_EQ(render_plain_chat(messages), "User: Count\nAssistant: 1, 2,");
}

TEST(PlainChat, NoMessagesAndOddRolesAreFine) {
  EXPECT_EQ(render_plain_chat({}), "Assistant:");
  const std::vector<Message> messages = {{"", "x"}, {"Tool", "y"}};
  EXPECT_EQ(render_plain_chat(messages), ": x\nTool: y\nAssistant:");
}

}  // namespace
}  // namespace refserver
