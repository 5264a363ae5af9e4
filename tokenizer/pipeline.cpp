// Puts the stages together from a file: here the ids of added tokens are checked against the vocabulary.
#include "tokenizer/pipeline.hpp"

#include <fmt/format.h>

#include <optional>
#include <unordered_set>
#include <utility>

#include "tokenizer/byte_alphabet.hpp"
#include "tokenizer/unicode/nfc.hpp"

namespace tokenizer {
namespace {

/// The added tokens of both passes, and what they decode to.
class AddedTokenLoader {
 public:
  AddedTokenLoader(const TokenizerFile& file, const Bpe& bpe)
      : file_(file), bpe_(bpe), texts_(bpe.tokens()), next_id_(static_cast<TokenId>(bpe.entry_count())) {}

  std::optional<Error> load() {
    for (const AddedToken& token : file_.added_tokens) {
      if (token.special) specials_.insert(token.content);
    }
    for (std::size_t i = 0; i < file_.added_tokens.size(); ++i) {
      if (auto error = add(file_.added_tokens[i])) {
        return Error{fmt::format("added_tokens[{}].{}", i, error->text)};
      }
    }
    return std::nullopt;
  }

  AddedTokenSearch raw() { return {std::move(raw_), raw_forms_}; }
  AddedTokenSearch normalized() { return {std::move(normalized_), normalized_forms_}; }
  TokenTable texts() { return std::move(texts_); }
  std::unordered_map<std::string, TokenId> by_content() { return std::move(by_content_); }

 private:
  std::optional<Error> add(const AddedToken& token) {
    if (!by_content_.emplace(token.content, token.id).second) {
      return Error{fmt::format("content: \"{}\" stands in the list twice", token.content)};
    }
    if (auto error = check_id(token)) return error;
    std::string form = token.content;
    if (token.normalized && file_.normalize_nfc) normalize_nfc(token.content, form);
    std::string bytes;
    if (!append_spelled_bytes(form, bytes)) bytes = form;
    // The library asks of the form that it decodes whether it is special, not of the token.
    texts_.set(token.id, bytes, specials_.count(form) != 0 ? TokenTable::Kind::special : TokenTable::Kind::plain);
    if (token.normalized && !normalized_seen_.insert(form).second) {
      return Error{fmt::format("content: \"{}\" has the same normalised form as another token", token.content)};
    }
    (token.normalized ? normalized_ : raw_).push_back(token);
    (token.normalized ? normalized_forms_ : raw_forms_).push_back(std::move(form));
    return std::nullopt;
  }

  /// The library ignores the file's id: a token has that of the vocabulary's entry, or else the next free one. Where
  /// the file says otherwise, no choice of ours would be right for all who made such files.
  std::optional<Error> check_id(const AddedToken& token) {
    const auto entry = bpe_.find_written(token.content);
    if (entry && *entry != token.id) {
      return Error{fmt::format("id: {}, but model.vocab has \"{}\" as {}", token.id, token.content, *entry)};
    }
    if (entry) return std::nullopt;
    if (token.id != next_id_ || texts_.has(token.id)) {
      return Error{
          fmt::format("id: {} for \"{}\", but {} entries of model.vocab and the added tokens before it make it {}",
                      token.id, token.content, bpe_.entry_count(), next_id_)};
    }
    ++next_id_;
    return std::nullopt;
  }

  const TokenizerFile& file_;
  const Bpe& bpe_;
  TokenTable texts_;
  TokenId next_id_;
  std::unordered_set<std::string> specials_;
  std::unordered_set<std::string> normalized_seen_;
  std::unordered_map<std::string, TokenId> by_content_;
  std::vector<AddedToken> raw_;
  std::vector<AddedToken> normalized_;
  std::vector<std::string> raw_forms_;
  std::vector<std::string> normalized_forms_;
};

std::optional<Error> check_post_steps(const std::vector<PostStep>& steps, const TokenTable& texts) {
  for (const PostStep& step : steps) {
    for (const auto* const side : {&step.before, &step.after}) {
      for (const TokenId id : *side) {
        if (!texts.has(id)) return Error{fmt::format("post_processor: no token has the id {} that it adds", id)};
      }
    }
  }
  return std::nullopt;
}

}  // namespace

Result<Pipeline> Pipeline::make(const TokenizerFile& file) {
  Result<Bpe> bpe = Bpe::make(file.model, file.strings);
  if (!bpe) return bpe.error();
  AddedTokenLoader added(file, *bpe);
  if (auto error = added.load()) return *error;
  TokenTable texts = added.texts();
  if (auto error = check_post_steps(file.post_steps, texts)) return *error;
  std::vector<Splitter> splitters;
  for (const SplitPattern pattern : file.pre_tokenizer.splits) splitters.emplace_back(pattern);
  const PreTokenizerSettings& pre = file.pre_tokenizer;
  return Pipeline{std::move(*bpe),      added.raw(),       added.normalized(), file.normalize_nfc, std::move(splitters),
                  pre.add_prefix_space, pre.split_as_gpt2, file.post_steps,    std::move(texts),   added.by_content()};
}

}  // namespace tokenizer
