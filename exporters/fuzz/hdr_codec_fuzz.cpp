// libFuzzer entry: any text decodes to a histogram that encodes again to the same counts, or is refused; never a crash
// or more memory than the limit. Not part of the build (g++ has no libFuzzer). With clang, from the project root:
//   clang++ -std=c++20 -g -O1 -fsanitize=fuzzer,address,undefined -I. exporters/fuzz/hdr_codec_fuzz.cpp
//   exporters/metrics/*.cpp \
//     exporters/base64.cpp exporters/error.cpp -lz -lfmt -o hdr_codec_fuzz
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "exporters/metrics/hdr_codec.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const exporters::HdrDecodeLimits limits{std::size_t{1} << 16};
  const auto histogram = exporters::decode_hdr_base64(text, limits);
  if (!histogram) return 0;
  const auto again = exporters::decode_hdr_base64(exporters::encode_hdr_base64(*histogram), limits);
  if (!again || again->count() != histogram->count() || again->max_value() != histogram->max_value()) std::abort();
  return 0;
}
