// libFuzzer entry: any bytes as a tokenizer.json end in a tokenizer or in an error with a text. A tokenizer then
// encodes some texts: spans and counts agree with the ids, and decoding in pieces with decoding at once. Not part of
// the build (g++ has no libFuzzer). With clang, from the project root:
//   clang++ -std=c++20 -g -O1 -fsanitize=fuzzer,address,undefined -I. tokenizer/fuzz/tokenizer_file_fuzz.cpp \
//     tokenizer/*.cpp tokenizer/{bpe,file,unicode}/*.cpp -lfmt -o tokenizer_file_fuzz
//   ./tokenizer_file_fuzz -max_len=65536 -timeout=10 -rss_limit_mb=2048 CORPUS
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "tokenizer/incremental_decoder.hpp"
#include "tokenizer/tokenizer.hpp"

namespace {

using namespace tokenizer;

void require(bool holds) {
  if (!holds) std::abort();
}

void use(const Tokenizer& tokenizer, std::string_view text) {
  for (const TokenText token_text : {TokenText::recognise, TokenText::plain}) {
    const EncodeOptions options{SpecialTokens::add, token_text};
    const std::vector<TokenId> ids = tokenizer.encode(text, options);
    const std::vector<TokenSpan> spans = tokenizer.encode_spans(text, options);
    require(spans.size() == ids.size() && tokenizer.count(text, options) == ids.size());
    IncrementalDecoder decoder(tokenizer, SpecialText::keep);
    std::string pieces;
    for (std::size_t i = 0; i < ids.size(); ++i) {
      require(spans[i].id == ids[i] && spans[i].start <= spans[i].stop && spans[i].stop <= text.size());
      require(ids[i] < tokenizer.size());
      pieces += decoder.push(ids[i]);
    }
    require(pieces + decoder.finish() == tokenizer.decode(ids, SpecialText::keep));
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view json(reinterpret_cast<const char*>(data), size);
  const auto tokenizer = Tokenizer::from_json(json);
  if (!tokenizer) {
    require(!tokenizer.error().text.empty());
    return 0;
  }
  use(**tokenizer, "");
  use(**tokenizer,
      "Hello, world! It's 12345 o'clock.\r\n\r\n  e\u0301 \u4F60\u597D\u3002\U0001F600\xFF\xE4\xB8 <s>a </s>");
  use(**tokenizer, std::string(300, 'a') + std::string(40, ' ') + "\n\t\u3000x");
  use(**tokenizer, json.substr(0, 2000));
  return 0;
}
