// libFuzzer entry: any bytes as a body end in a valid request or in an error with a text, on every route.
// Not part of the build (g++ has no libFuzzer). With clang:
//   cd refserver/api; clang++ -std=c++20 -g -O1 -fsanitize=fuzzer,address,undefined -I../.. ../fuzz/request_fuzz.cpp \
//     json_reader.cpp json_reader_scalars.cpp json_writer.cpp read_request.cpp read_native.cpp read_openai.cpp \
//     read_chat.cpp -lfmt -o request_fuzz
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "refserver/api/read_request.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string_view body(reinterpret_cast<const char*>(data) + 1, size - 1);
  for (const refserver::Route route : {refserver::Route::generate_stream, refserver::Route::chat,
                                       refserver::Route::completions, refserver::Route::gateway}) {
    const auto request = refserver::read_request(route, body);
    if (!request && request.error().text.empty()) std::abort();
  }
  return 0;
}
