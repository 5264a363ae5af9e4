// Until models have their own templates: one without special tokens.
#include "refserver/api/chat_prompt.hpp"

#include "refserver/chat/plain_chat.hpp"

namespace refserver {

Result<std::string, Error> render_chat(const ModelInfo& /*model*/, std::span<const Message> messages,
                                       const ToolUse& /*tools*/, Dialect /*dialect*/) {
  return render_plain_chat(messages);
}

}  // namespace refserver
