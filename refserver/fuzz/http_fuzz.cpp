// libFuzzer entry: any bytes on a connection are answered with HTTP or end it; the server goes on and forgets them.
// Input is sent to a whole server on a loopback port, cut in two where its first byte says, and the client then closes
// its side. Every so often the server must still answer /health.
// Not part of the build (g++ has no libFuzzer). Configure a folder of its own with CMAKE_CXX_COMPILER=clang++ and
// CMAKE_CXX_FLAGS="-O1 -fsanitize=fuzzer-no-link,address,undefined", build plumbline_refserver there, and link this
// file with -fsanitize=fuzzer,address,undefined, its libraries and libgtest.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "refserver/http/tests/loopback.hpp"

namespace {

refserver::HttpOptions small_limits() {
  refserver::HttpOptions options;
  options.body_limit_bytes = 64 * 1024;
  options.header_limit_bytes = 8 * 1024;
  options.validation_workers = 1;
  return options;
}

refserver::TestServer& server() {
  static refserver::TestServer instance(small_limits(), {std::chrono::nanoseconds(0), std::chrono::nanoseconds(0)});
  return instance;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  const std::size_t cut = bytes.empty() ? 0 : data[0] * bytes.size() / 256;
  refserver::TestClient client(server());
  if (client.send(bytes.substr(0, cut)) && client.send(bytes.substr(cut))) client.finish_sending();
  const std::string answer = client.read_to_end();
  if (!client.is_closed_by_server()) std::abort();  // it hangs
  if (!answer.empty() && !answer.starts_with("HTTP/1.1 ")) std::abort();
  static std::size_t runs = 0;
  if (++runs % 64 == 0 && refserver::TestClient(server()).get("/health").status != 200) std::abort();
  return 0;
}
