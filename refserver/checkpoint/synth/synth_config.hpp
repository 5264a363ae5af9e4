// The configuration of a made-up model: a preset, bent by options, with the tokenizer's special ids. Pure.
#pragma once

#include "refserver/checkpoint/checkpoint_error.hpp"
#include "refserver/checkpoint/presets.hpp"
#include "refserver/checkpoint/synth/synth_options.hpp"
#include "refserver/checkpoint/synth/synth_tokenizer.hpp"

namespace refserver {

/// Refuses options that do not go together, naming the option.
CheckpointResult<ModelConfig> make_synth_config(const SynthOptions& options, const ModelPreset& preset,
                                                const SynthTokenizer& tokenizer);

}  // namespace refserver
