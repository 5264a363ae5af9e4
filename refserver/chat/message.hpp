// One turn of a conversation. Knows no template and no wire format.
#pragma once

#include <string>

namespace refserver {

struct Message {
  std::string role;            ///< system, user, assistant, tool: whatever the client wrote
  std::string content;         ///< UTF-8 text
  bool has_content = true;     ///< false where only tool calls were given
  std::string name{};          ///< empty if not given
  std::string tool_calls{};    ///< a JSON array as the client wrote it; empty if not given
  std::string tool_call_id{};  ///< empty if not given
};

}  // namespace refserver
