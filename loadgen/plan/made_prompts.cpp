// Choosing the words, and laying them out.
#include "loadgen/plan/made_prompts.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cassert>
#include <string_view>
#include <utility>

#include "loadgen/plan/keyed_random.hpp"
#include "tokenizer/tokenizer.hpp"

namespace loadgen {
namespace {

constexpr std::uint32_t own_words = 16;  ///< drawn for each prompt: enough that no two begin alike
constexpr std::size_t text_words = 8192;
constexpr std::size_t most_words = 1024;
constexpr std::size_t fewest_words = 16;

constexpr std::string_view usual_words =
    "time people way day man thing woman life child world school state family student group country problem hand part "
    "place case week company system program question work government number night point home water room mother area "
    "money story fact month lot right study book eye job word business issue side kind head house service friend "
    "father power hour game line end member law car city community name music team minute idea body information "
    "back parent face others level office door health person art war history party result change light reason "
    "research girl road moment air teacher force education";

/// A blank and at least two lower-case letters: it neither grows together with its neighbours nor is lost in trimming.
bool is_word(std::string_view token) noexcept {
  constexpr std::size_t shortest = 3, longest = 13;
  if (token.size() < shortest || token.size() > longest || token.front() != ' ') return false;
  return std::all_of(token.begin() + 1, token.end(), [](char c) { return c >= 'a' && c <= 'z'; });
}

std::size_t pick(KeyedStream& stream, std::size_t count) noexcept {
  return static_cast<std::size_t>(((stream.bits() >> 32) * count) >> 32);
}

}  // namespace

PromptWords::PromptWords(std::vector<std::string> words) : words_(std::move(words)) {
  assert(words_.size() >= fewest_words);
  KeyedStream stream(0, Draw::prompt_words, UINT64_MAX);
  for (std::size_t i = 0; i < text_words; ++i) {
    offsets_.push_back(static_cast<std::uint32_t>(text_.size()));
    text_ += words_[pick(stream, words_.size())];
  }
  offsets_.push_back(static_cast<std::uint32_t>(text_.size()));
}

std::shared_ptr<const PromptWords> PromptWords::usual() {
  std::vector<std::string> words;
  for (std::string_view rest = usual_words; !rest.empty();) {
    const std::size_t end = std::min(rest.find(' '), rest.size());
    words.push_back(' ' + std::string(rest.substr(0, end)));
    rest.remove_prefix(std::min(end + 1, rest.size()));
  }
  return std::shared_ptr<const PromptWords>(new PromptWords(std::move(words)));
}

Result<std::shared_ptr<const PromptWords>, std::string> PromptWords::of(const tokenizer::Tokenizer& tokenizer) {
  constexpr tokenizer::EncodeOptions plain{tokenizer::SpecialTokens::omit, tokenizer::TokenText::plain};
  const auto is_one = [&](std::string_view text) { return tokenizer.count(text, plain) == 1; };
  const auto refuse = [](std::string why) {
    return Result<std::shared_ptr<const PromptWords>, std::string>(boost::system::in_place_error, std::move(why));
  };
  std::vector<std::string> words;
  for (std::size_t id = 0; id < tokenizer.size() && words.size() < most_words; ++id) {
    const std::string_view token = tokenizer.token_bytes(static_cast<tokenizer::TokenId>(id));
    // Without its blank as well: that is how it stands at the beginning of a prompt.
    if (is_word(token) && is_one(token) && is_one(token.substr(1))) words.emplace_back(token);
  }
  if (words.size() < fewest_words)
    return refuse(fmt::format("has {} words of one token, fewer than {}: prompts cannot be made of them", words.size(),
                              fewest_words));
  std::shared_ptr<const PromptWords> made(new PromptWords(std::move(words)));
  for (const std::uint32_t tokens : {1U, 2U, own_words + 1, 3000U}) {
    std::string prompt;
    made->append(0, tokens, tokens, prompt);
    const std::size_t counted = tokenizer.count(prompt, plain);
    if (counted != tokens) return refuse(fmt::format("counts {} tokens in a prompt made of {}", counted, tokens));
  }
  return made;
}

template <class Take>
void PromptWords::visit(std::uint64_t seed, std::uint64_t index, std::uint32_t tokens, Take take) const {
  KeyedStream stream(seed, Draw::prompt_words, index);
  const std::uint32_t drawn = std::min(tokens, own_words);
  for (std::uint32_t i = 0; i < drawn; ++i) {
    const std::string_view word = words_[pick(stream, words_.size())];
    take(i == 0 ? word.substr(1) : word);
  }
  std::size_t at = pick(stream, text_words);
  for (std::size_t left = tokens - drawn; left > 0; at = 0) {
    const std::size_t count = std::min(left, text_words - at);
    take(std::string_view(text_).substr(offsets_[at], offsets_[at + count] - offsets_[at]));
    left -= count;
  }
}

void PromptWords::append(std::uint64_t seed, std::uint64_t index, std::uint32_t tokens, std::string& out) const {
  const std::size_t before = out.size();
  out.resize(before + bytes(seed, index, tokens));
  write(seed, index, tokens, out.data() + before);
}

char* PromptWords::write(std::uint64_t seed, std::uint64_t index, std::uint32_t tokens, char* at) const {
  visit(seed, index, tokens, [&at](std::string_view part) { at = std::copy(part.begin(), part.end(), at); });
  return at;
}

std::size_t PromptWords::bytes(std::uint64_t seed, std::uint64_t index, std::uint32_t tokens) const {
  std::size_t sum = 0;
  visit(seed, index, tokens, [&sum](std::string_view part) { sum += part.size(); });
  return sum;
}

}  // namespace loadgen
