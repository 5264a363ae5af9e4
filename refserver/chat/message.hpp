// One turn of a conversation. Knows no template and no wire format.
#pragma once

#include <string>

namespace refserver {

struct Message {
  std::string role;     ///< system, user, assistant, tool: whatever the client wrote
  std::string content;  ///< UTF-8 text
};

}  // namespace refserver
