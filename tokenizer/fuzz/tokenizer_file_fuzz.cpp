// libFuzzer entry: any bytes as a tokenizer.json end in a tokenizer or in an error with a text. A tokenizer then
// encodes some texts: spans and counts agree with the ids, and decoding in pieces with decoding at once. Not part of
// the build (g++ has no libFuzzer). With clang, from the project root:
//   clang++ -std=c++20 -g -O1 -fsanitize=fuzzer,address,undefined -I. tokenizer/fuzz/tokenizer_file_fuzz.cpp \
//     tokenizer/*.cpp tokenizer/{bpe,file,unicode}/*.cpp -lfmt -o tokenizer_file_fuzz
//   ./tokenizer_file_fuzz -max_len=65536 -timeout=10 -rss_limit_mb=2048 CORPUS
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "tokenizer/fuzz/agreement.hpp"

namespace {

using namespace tokenizer;
using namespace tokenizer::fuzz;

void use(const Tokenizer& tokenizer, std::string_view text) {
  for (const TokenText token_text : {TokenText::recognise, TokenText::plain}) {
    (void)encode_and_check(tokenizer, text, {SpecialTokens::add, token_text});
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
