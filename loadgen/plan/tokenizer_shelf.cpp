#include "loadgen/plan/tokenizer_shelf.hpp"

#include <cstdint>
#include <system_error>
#include <utility>

#include "tokenizer/tokenizer.hpp"

namespace loadgen {
namespace {

namespace fs = std::filesystem;

TokenizerShelf::Vocabulary refused(std::string why) {
  return {boost::system::in_place_error, std::move(why)};
}

TokenizerShelf::Vocabulary load(const fs::path& file_or_folder) {
  constexpr std::uintmax_t max_bytes = 256U * 1024 * 1024;
  std::error_code ec;
  const fs::path file = fs::is_directory(file_or_folder, ec) ? file_or_folder / "tokenizer.json" : file_or_folder;
  if (!fs::is_regular_file(file, ec)) return refused("must be a tokenizer.json or a folder with one");
  if (fs::file_size(file, ec) > max_bytes || ec) return refused("is larger than 256 MiB");
  auto loaded = tokenizer::Tokenizer::from_file(file);
  if (!loaded) return refused(loaded.error().text);
  return std::move(*loaded);
}

}  // namespace

TokenizerShelf::TokenizerShelf(std::filesystem::path folder) : folder_(std::move(folder)) {}

std::string TokenizerShelf::path_of(const std::string& file_or_folder) const {
  return (folder_ / file_or_folder).string();
}

const TokenizerShelf::Vocabulary& TokenizerShelf::vocabulary(const std::string& file_or_folder) {
  const std::string path = path_of(file_or_folder);
  auto at = vocabularies_.find(path);
  if (at == vocabularies_.end()) at = vocabularies_.emplace(path, load(path)).first;
  return at->second;
}

const TokenizerShelf::Words& TokenizerShelf::words(const std::string& file_or_folder) {
  const std::string path = path_of(file_or_folder);
  auto at = words_.find(path);
  if (at != words_.end()) return at->second;
  const Vocabulary& loaded = vocabulary(file_or_folder);
  Words words = loaded ? PromptWords::of(**loaded) : Words{boost::system::in_place_error, loaded.error()};
  return words_.emplace(path, std::move(words)).first->second;
}

}  // namespace loadgen
