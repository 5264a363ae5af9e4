// libFuzzer entry: any bytes as the text of a prompt, for tokenizers as models bring them. Spans, counts and ids agree,
// decoding in pieces agrees with decoding at once, and what needs no normalising comes back byte for byte. The first
// byte says which tokenizer. Not part of the build (g++ has no libFuzzer). With clang, from the project root, where it
// must be run too:
//   clang++ -std=c++20 -g -O1 -fsanitize=fuzzer,address,undefined -I. tokenizer/fuzz/text_fuzz.cpp
//     tokenizer/*.cpp tokenizer/{bpe,file,unicode}/*.cpp -lfmt -o text_fuzz
//   ./text_fuzz -max_len=4096 -timeout=10 CORPUS tokenizer/tests/data/corpus
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "tokenizer/fuzz/agreement.hpp"

namespace {

using namespace tokenizer;
using namespace tokenizer::fuzz;

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
  const Encoded encoded = encode_and_check(tokenizer, text, {SpecialTokens::omit, token_text});
  for (const TokenId id : encoded.ids)
    require(token_text == TokenText::recognise || known.merges_specials || !tokenizer.is_special(id));
  // U+FFFD stands for what was no UTF-8, and could have been there before: such texts prove nothing.
  const bool is_exact = !known.normalises && encoded.decoded.find("\uFFFD") == std::string::npos;
  require(!is_exact || encoded.decoded == text);
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
