// The bodies of /tokenize and /chat_tokenize.
#pragma once

#include <string>

#include "refserver/api/generate_request.hpp"
#include "refserver/api/model_info.hpp"

namespace refserver {

/// `request` comes from Validator::prepare. The tokens of its prompt with the bytes each stands for; for /chat_tokenize
/// also the text the template made.
std::string make_token_list(const ModelInfo& model, const GenerateRequest& request);

}  // namespace refserver
