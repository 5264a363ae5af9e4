// What an entry says, out of a document: prompts that are given, or prompts that are made up to a number of tokens; and
// whose tokens are counted.
#pragma once

#include <filesystem>
#include <string>

#include "loadgen/plan/object_reader.hpp"
#include "loadgen/plan/scenario.hpp"
#include "loadgen/plan/tokenizer_shelf.hpp"

namespace loadgen {

/// Fills in `tokenizer` and `vocabulary` of `entry`; `inherited` is the scenario's, for an entry without one of its
/// own, and whoever reads the scenario says whether it can be had.
void read_tokenizer(const ObjectReader& reader, const std::string& inherited, TokenizerShelf& shelf, MixEntry& entry);

/// Fills in `prompts` or `made` of `entry`, whose other fields have been read: built-in prompts where nothing else is
/// said. Paths are relative to `folder`.
void read_prompts(const ObjectReader& reader, const std::filesystem::path& folder, TokenizerShelf& shelf,
                  MixEntry& entry);

}  // namespace loadgen
