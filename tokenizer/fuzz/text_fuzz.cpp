// libFuzzer entry: any bytes as the text of a prompt, for tokenizers as models bring them. Spans, counts and ids agree,
// decoding in pieces agrees with decoding at once, and what needs no normalising comes back byte for byte. The first
// byte says which tokenizer. Not part of the build (g++ has no libFuzzer). With clang, from the project root, where it
// must be run too:
//   clang++ -std=c++20 -g -O1 -fsanitize=fuzzer,address,undefined -I. tokenizer/fuzz/text_fuzz.cpp
//     tokenizer/*.cpp tokenizer/{bpe,file,unicode}/*.cpp -lfmt -o text_fuzz
//   ./text_fuzz -max_len=4096 -timeout=10 CORPUS tokenizer/tests/data/corpus
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "tokenizer/incremental_decoder.hpp"
#include "tokenizer/tokenizer.hpp"

namespace {

using namespace tokenizer;

void require(bool holds) {
  if (!holds) std::abort();
}

struct Known {
  std::shared_ptr<const Tokenizer> tokenizer{};
  bool normalises = true;
  bool merges_specials = false;  ///< one of its special tokens is an entry that plain text gives, too
};

const std::vector<Known>& known() {
  static const std::vector<Known> loaded = [] {
    std::vector<Known> out;
    const auto add = [&](const char* name, Known facts) {
      auto read = Tokenizer::from_file(std::string("tokenizer/tests/data/") + name);
      require(read.has_value());
      facts.tokenizer = *read;
      out.push_back(facts);
    };
    add("llama3", {.normalises = false});
    add("qwen2.5", {});
    add("oddities", {.merges_specials = true});
    return out;
  }();
  return loaded;
}

void check(const Known& known, std::string_view text, TokenText token_text) {
  const Tokenizer& tokenizer = *known.tokenizer;
  const EncodeOptions options{SpecialTokens::omit, token_text};
  const std::vector<TokenId> ids = tokenizer.encode(text, options);
  const std::vector<TokenSpan> spans = tokenizer.encode_spans(text, options);
  require(spans.size() == ids.size() && tokenizer.count(text, options) == ids.size());
  IncrementalDecoder decoder(tokenizer, SpecialText::keep);
  std::string pieces;
  for (std::size_t i = 0; i < ids.size(); ++i) {
    require(spans[i].id == ids[i] && spans[i].start <= spans[i].stop && spans[i].stop <= text.size());
    require(token_text == TokenText::recognise || known.merges_specials || !tokenizer.is_special(ids[i]));
    pieces += decoder.push(ids[i]);
  }
  const std::string decoded = tokenizer.decode(ids, SpecialText::keep);
  require(pieces + decoder.finish() == decoded);
  // U+FFFD stands for what was no UTF-8, and could have been there before: such texts prove nothing.
  const bool is_exact = !known.normalises && decoded.find("\uFFFD") == std::string::npos;
  require(!is_exact || decoded == text);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string_view text(reinterpret_cast<const char*>(data) + 1, size - 1);
  const Known& chosen = known()[data[0] % known().size()];
  check(chosen, text, TokenText::recognise);
  check(chosen, text, TokenText::plain);
  return 0;
}
