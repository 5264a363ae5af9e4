// Joins the turns, one per line.
#include "refserver/chat/plain_chat.hpp"

namespace refserver {

std::string render_plain_chat(std::span<const Message> messages) {
  std::string out;
  for (const Message& message : messages) {
    if (!out.empty()) out += '\n';
    std::string role = message.role;
    if (!role.empty() && role[0] >= 'a' && role[0] <= 'z') role[0] = static_cast<char>(role[0] - 'a' + 'A');
    out += role;
    out += ": ";
    out += message.content;
  }
  if (messages.empty() || messages.back().role != "assistant") out += out.empty() ? "Assistant:" : "\nAssistant:";
  return out;
}

}  // namespace refserver
