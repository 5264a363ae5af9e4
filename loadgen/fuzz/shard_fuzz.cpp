// libFuzzer target for shard.json, which may come from any machine: bytes under a right checksum end in a merged run or
// in a reason, never in a crash, a hang or an exception that leaves the reader; what was read is written again alike.
//
// Not part of the normal build. With clang, from the project root:
//   cmake -S . -B build/fuzz -G Ninja -DCMAKE_CXX_COMPILER=clang++ -DPLUMBLINE_TESTS=OFF \
//     -DCMAKE_CXX_FLAGS="-O1 -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize=function -Wno-error"
//   ninja -C build/fuzz plumbline_loadgen
//   clang++ -std=c++20 -g -O1 -fsanitize=fuzzer,address,undefined -I. loadgen/fuzz/shard_fuzz.cpp \
//     build/fuzz/loadgen/libplumbline_loadgen.a build/fuzz/exporters/libplumbline_exporters.a \
//     -lfmt -lyaml-cpp -lpcre2-8 -lcurl -lz -lssl -lcrypto -o shard_fuzz
//   ./shard_fuzz -max_len=65536 -timeout=10 CORPUS loadgen/fuzz/seeds/shard
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "loadgen/export/sha256.hpp"
#include "loadgen/export/shard_file.hpp"
#include "loadgen/summarize/merge.hpp"

namespace {

constexpr std::string_view checksum_key = ",\"sha256\":\"";

/// `text` up to its checksum if it has one, with the right one behind it: a wrong one would hide everything else.
std::string sealed(std::string_view text) {
  const std::string_view body = text.substr(0, text.rfind(checksum_key));
  return std::string(body) + std::string(checksum_key) + loadgen::sha256_hex(body) + "\"}\n";
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  auto shard = loadgen::parse_shard(sealed({reinterpret_cast<const char*>(data), size}));
  if (!shard) {
    if (shard.error().empty()) std::abort();
    return 0;
  }
  const std::string once = loadgen::shard_text(*shard);
  const auto again = loadgen::parse_shard(once);
  if (!again || loadgen::shard_text(*again) != once) std::abort();
  const auto scenario = loadgen::scenario_of_shard(*shard);
  auto merged = loadgen::merge_shards({std::move(*shard)});
  if (scenario && merged) loadgen::summarize_merged(*scenario, *merged, {}, loadgen::Degraded::judge);
  return 0;
}
