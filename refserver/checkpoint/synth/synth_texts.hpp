// The JSON files of a made-up folder, from the configuration they state. Pure.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "refserver/checkpoint/checkpoint_error.hpp"
#include "refserver/checkpoint/synth/synth_options.hpp"
#include "refserver/checkpoint/synth/synth_tokenizer.hpp"

namespace refserver {

/// Names and texts of the files beside the weights, config.json last: a folder without it is not taken for a model.
/// `config.stop_token_ids` go into the files where the families' published files have them.
CheckpointResult<std::vector<std::pair<std::string, std::string>>> make_synth_texts(const ModelConfig& config,
                                                                                    const SynthOptions& options,
                                                                                    const SynthTokenizer& tokenizer);

}  // namespace refserver
