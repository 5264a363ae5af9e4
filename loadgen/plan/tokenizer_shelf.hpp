// The tokenizers that a scenario names: large files, read once however many entries share one.
#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <string>

#include "loadgen/plan/made_prompts.hpp"
#include "loadgen/result.hpp"

namespace loadgen {

class TokenizerShelf {
 public:
  using Vocabulary = Result<std::shared_ptr<const tokenizer::Tokenizer>, std::string>;
  using Words = Result<std::shared_ptr<const PromptWords>, std::string>;

  /// `folder` is what relative names are relative to; empty: the working directory.
  explicit TokenizerShelf(std::filesystem::path folder);

  /// A tokenizer.json or the one in a folder. The error is the rest of a sentence that begins with its name.
  const Vocabulary& vocabulary(const std::string& file_or_folder);
  /// Its words of one token, for prompts that are made up; the error likewise.
  const Words& words(const std::string& file_or_folder);

 private:
  std::string path_of(const std::string& file_or_folder) const;

  std::filesystem::path folder_;
  std::map<std::string, Vocabulary> vocabularies_;  ///< by path
  std::map<std::string, Words> words_;
};

}  // namespace loadgen
