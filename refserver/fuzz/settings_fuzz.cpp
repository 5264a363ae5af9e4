// libFuzzer entry for the files and words that set up the server: config, faults, traces, simulations, GPUs, costs,
// durations, distributions, chunkings. Any bytes end in a setting that holds what its header promises or in an error
// with words; nothing else is thrown. The first byte says which of them is read.
// Not part of the build (g++ has no libFuzzer). With clang and the library that gateway_fuzz.cpp describes:
//   clang++ -std=c++20 -g -O1 -fsanitize=fuzzer,address,undefined -fno-sanitize=function -I.
//     refserver/fuzz/settings_fuzz.cpp build/fuzz/refserver/libplumbline_refserver.a
//     build/fuzz/exporters/libplumbline_exporters.a build/fuzz/kernels/libplumbline_kernels.a
//     build/fuzz/tokenizer/libplumbline_tokenizer.a build/fuzz/libplumbline_asio.a -lfmt -lyaml-cpp -lcurl -lz -ldl
//     -o settings_fuzz
//   ./settings_fuzz -max_len=8192 -timeout=10 CORPUS refserver/fuzz/seeds/settings
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <stdexcept>
#include <string>
#include <string_view>

#include "refserver/api/chunking.hpp"
#include "refserver/config_draft.hpp"
#include "refserver/duration.hpp"
#include "refserver/engine/distribution.hpp"
#include "refserver/engine/stall_clock.hpp"
#include "refserver/engine/step_cost.hpp"
#include "refserver/fault_file.hpp"
#include "refserver/plan/gpu.hpp"
#include "refserver/simulate/scenario.hpp"
#include "refserver/simulate/trace.hpp"

namespace {

using namespace refserver;

void require(bool holds) {
  if (!holds) std::abort();
}

/// What a checkpoint-like reader gave, or null where it refused with words.
template <class T>
const T* accepted(const CheckpointResult<T>& read) {
  if (read.has_error()) require(!read.error().text.empty());
  return read.has_error() ? nullptr : &*read;
}
template <class T>
const T* accepted(const Result<T, std::string>& read) {
  if (!read) require(!read.error().empty());
  return read ? &*read : nullptr;
}

/// A file in memory, by a name that can be opened.
class File {
 public:
  explicit File(std::string_view text) : descriptor_(::memfd_create("fuzz", MFD_CLOEXEC)) {
    require(::write(descriptor_, text.data(), text.size()) == static_cast<ssize_t>(text.size()));
  }
  ~File() { ::close(descriptor_); }
  std::string path() const { return "/proc/self/fd/" + std::to_string(descriptor_); }

 private:
  int descriptor_;
};

void read_config(std::string_view text) {
  const File file(text);
  ConfigDraft draft;
  try {
    read_config_file(file.path(), draft);
  } catch (const BadValue& e) {
    require(*e.what() != '\0');
  }
}

void read_faults(std::string_view text) {
  const File file(text);
  try {
    const FaultPlan plan = read_fault_file(file.path());
    for (const FaultRule& rule : plan.rules) require(rule.probability >= 0 && rule.probability <= 1);
  } catch (const std::runtime_error& e) {
    require(*e.what() != '\0');
  }
}

void read_trace(std::string_view text) {
  const auto read = parse_trace(text, "fuzz");
  const RequestTrace* const trace = accepted(read);
  if (trace == nullptr) return;
  require(!trace->sizes.empty() && trace->sizes.size() == trace->times.size());
  require(std::is_sorted(trace->times.begin(), trace->times.end()) && trace->times.front().count() >= 0);
  for (const RequestSize& size : trace->sizes)
    require(size.prompt > 0 && size.answer > 0 && size.allowed >= size.answer);
}

void read_distribution(std::string_view text) {
  if (text.find("file(") != text.npos) return;  // of the machine that fuzzes
  const auto read = parse_distribution(text);
  const Distribution* const distribution = accepted(read);
  if (distribution == nullptr) return;
  require(distribution->mean_ns() >= 0);
  for (const double u : {1e-12, 0.25, 0.5, 0.999, 1 - 1e-12}) {
    const auto drawn = distribution->draw(u);
    require(drawn.count() >= 0 && drawn <= Distribution::kLongest);
    require(!std::isnan(distribution->quantile_ns(u)));
  }
}

void read_chunking(std::string_view text) {
  const auto read = parse_chunking(text);
  const Chunking* const chunking = accepted(read);
  if (chunking == nullptr) return;
  const std::string_view bytes = "data: {\"text\":\"h\u00e9 \u4f60\"}\n\n";
  const auto ends = piece_ends(bytes, *chunking);
  require(!ends.empty() && ends.back() == bytes.size() && std::is_sorted(ends.begin(), ends.end()));
}

void read_cost(std::string_view text) {
  const auto read = parse_cost_preset(text, "fuzz");
  const CostPreset* const preset = accepted(read);
  if (preset != nullptr) require(std::isfinite(preset->cost.of({})));
}

void read_gpu(std::string_view text) {
  const auto read = parse_gpu(text, "fuzz");
  const Gpu* const gpu = accepted(read);
  if (gpu != nullptr) require(gpu->memory_mib > 0 && gpu->bytes_per_s() > 0 && std::isfinite(gpu->bytes_per_s()));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string_view text(reinterpret_cast<const char*>(data) + 1, size - 1);
  switch (data[0] % 10) {
    case 0:
      read_config(text);
      break;
    case 1:
      read_faults(text);
      break;
    case 2:
      read_trace(text);
      break;
    case 3:
      (void)accepted(parse_scenario(text, "fuzz"));
      break;
    case 4:
      read_cost(text);
      break;
    case 5:
      read_gpu(text);
      break;
    case 6:
      read_distribution(text);
      break;
    case 7:
      read_chunking(text);
      break;
    case 8:
      (void)accepted(parse_stall(text));
      break;
    default:
      if (const auto time = parse_duration(text)) require(time->count() >= 0);
  }
  return 0;
}
