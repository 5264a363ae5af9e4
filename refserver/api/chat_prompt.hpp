// A conversation to the prompt its model was trained on.
#pragma once

#include <span>
#include <string>

#include "refserver/api/generate_request.hpp"
#include "refserver/api/model_info.hpp"
#include "refserver/error.hpp"
#include "refserver/result.hpp"

namespace refserver {

/// The conversation through the model's chat template, ready for the model's answer; a last message of role assistant
/// is left open, so that the answer continues it. Errors are of type template_error, in TGI's words where it has them.
Result<std::string, Error> render_chat(const ModelInfo& model, std::span<const Message> messages, const ToolUse& tools,
                                       Dialect dialect);

}  // namespace refserver
