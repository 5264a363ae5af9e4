// Tokenizer files made by hand for tests: all 256 bytes as ids 0 to 255, then what a test adds.
#pragma once

#include <gtest/gtest.h>

#include <initializer_list>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "tokenizer/byte_alphabet.hpp"
#include "tokenizer/tokenizer.hpp"

namespace tokenizer::testing {

using Json = nlohmann::json;

inline constexpr const char* kLlama3Pattern =
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";
inline constexpr const char* kQwen2Pattern =
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";

inline Json byte_level(bool use_regex = false, bool add_prefix_space = false, bool trim_offsets = true) {
  return {{"type", "ByteLevel"},
          {"add_prefix_space", add_prefix_space},
          {"trim_offsets", trim_offsets},
          {"use_regex", use_regex}};
}

inline Json split(const std::string& pattern) {
  return {{"type", "Split"}, {"pattern", {{"Regex", pattern}}}, {"behavior", "Isolated"}, {"invert", false}};
}

/// Merges are pairs of raw bytes; the result of each gets the next id from 256 on, unless it is an entry already.
using Merges = std::vector<std::pair<std::string, std::string>>;

inline Json file_with(const Merges& merges = {}) {
  Json vocab = Json::object();
  Json list = Json::array();
  for (int byte = 0; byte < 256; ++byte) vocab[spell_bytes(std::string(1, static_cast<char>(byte)))] = byte;
  for (const auto& [left, right] : merges) {
    const std::string merged = spell_bytes(left + right);
    if (!vocab.contains(merged)) vocab[merged] = vocab.size();
    list.push_back({spell_bytes(left), spell_bytes(right)});
  }
  return {{"version", "1.0"},
          {"added_tokens", Json::array()},
          {"normalizer", nullptr},
          {"pre_tokenizer", {{"type", "Sequence"}, {"pretokenizers", {split(kLlama3Pattern), byte_level()}}}},
          {"post_processor", nullptr},
          {"decoder", byte_level(true)},
          {"model", {{"type", "BPE"}, {"vocab", vocab}, {"merges", list}}}};
}

/// Adds a token with the options named, and its entry's id or else the next free one.
inline TokenId add_token(Json& file, const std::string& content, std::initializer_list<const char*> options = {}) {
  const Json& vocab = file["model"]["vocab"];
  auto id = static_cast<TokenId>(vocab.size());
  for (const Json& added : file["added_tokens"]) id += vocab.contains(added["content"].get<std::string>()) ? 0U : 1U;
  if (vocab.contains(content)) id = vocab[content].get<TokenId>();
  Json token = {{"id", id},        {"content", content},  {"single_word", false}, {"lstrip", false},
                {"rstrip", false}, {"normalized", false}, {"special", false}};
  for (const char* option : options) token[option] = true;
  file["added_tokens"].push_back(token);
  return id;
}

inline std::shared_ptr<const Tokenizer> open(const Json& file) {
  auto tokenizer = Tokenizer::from_json(file.dump());
  if (!tokenizer) {
    ADD_FAILURE() << tokenizer.error().text;
    return nullptr;
  }
  return *tokenizer;
}

/// Ids that are bytes as the bytes they are, others as <number>: readable in failures.
inline std::string shown(const std::vector<TokenId>& ids) {
  std::string text;
  for (const TokenId id : ids)
    text += id < 256 ? std::string(1, static_cast<char>(id)) : "<" + std::to_string(id) + ">";
  return text;
}

/// (start, stop) of each span, written [0,5][5,6].
inline std::string shown(const std::vector<TokenSpan>& spans) {
  std::string text;
  for (const TokenSpan& span : spans) {
    text += "[" + std::to_string(span.start) + "," + std::to_string(span.stop) + "]";
  }
  return text;
}

}  // namespace tokenizer::testing
