// A chat template without special tokens, for engines that have no checkpoint and so no template of their own.
#pragma once

#include <span>
#include <string>

#include "refserver/chat/message.hpp"

namespace refserver {

/// "System: ...\nUser: ...\nAssistant:" with roles capitalised. A last message of role assistant is left open, so that
/// the answer continues it.
std::string render_plain_chat(std::span<const Message> messages);

}  // namespace refserver
