// What an entry says, out of a document: prompts that are given, or prompts that are made up to a number of tokens.
#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <string>

#include "loadgen/plan/made_prompts.hpp"
#include "loadgen/plan/object_reader.hpp"
#include "loadgen/plan/scenario.hpp"

namespace loadgen {

/// The words of each tokenizer that a scenario names: large files, read once however many entries share one.
using WordShelf = std::map<std::string, Result<std::shared_ptr<const PromptWords>, std::string>>;

/// Fills in `prompts` or `made` of `entry`, whose other fields have been read: built-in prompts where nothing else is
/// said. `tokenizer` is the scenario's, for an entry without one of its own; paths are relative to `folder`.
void read_prompts(const ObjectReader& reader, const std::filesystem::path& folder, const std::string& tokenizer,
                  WordShelf& shelf, MixEntry& entry);

}  // namespace loadgen
