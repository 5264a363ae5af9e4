// libFuzzer entry: any bytes as a model folder (configuration and tensors) end in an error that names a file and has a
// text, or in a model that computes: its weights are laid out for the kernels and a few tokens run through it.
// Not part of the build (g++ has no libFuzzer). make_checkpoint_corpus.py DIR makes what to start from. With clang, in
// the root of the sources, all in one line:
//   clang++ -std=c++20 -g -O1 -ffp-contract=off -fsanitize=fuzzer,address,undefined -fno-sanitize=function -I.
//     refserver/fuzz/checkpoint_fuzz.cpp refserver/checkpoint/*.cpp
//     refserver/transformer/{model_weights,transformer,host_memory}.cpp kernels/*.cpp
//     kernels/{cpu,reference,cuda}/*.cpp -lfmt -ldl -lpthread -o checkpoint_fuzz
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>
#include <vector>

#include "kernels/cpu/cpu_backend.hpp"
#include "refserver/transformer/host_memory.hpp"
#include "refserver/transformer/transformer.hpp"

namespace {

namespace fs = std::filesystem;

constexpr std::uint64_t kMemory = std::uint64_t{64} << 20U;  ///< what a model may take to be computed here

void require(bool holds) {
  if (!holds) std::abort();
}

/// Bytes become config.json, a zero byte, the header of model.safetensors, a zero byte and its data. The length before
/// the header is right: wrong ones are safetensors_fuzz's.
void write_folder(const fs::path& folder, std::string_view bytes) {
  const std::size_t config_end = bytes.find('\0');
  const std::string_view rest = config_end == bytes.npos ? "" : bytes.substr(config_end + 1);
  const std::size_t header_end = rest.find('\0');
  const std::string_view header = rest.substr(0, header_end);
  std::ofstream(folder / "config.json", std::ios::binary) << bytes.substr(0, config_end);
  std::ofstream shard(folder / "model.safetensors", std::ios::binary);
  for (std::size_t i = 0; i < 8; ++i) shard.put(static_cast<char>(header.size() >> 8 * i & 0xFFU));
  shard << header << (header_end == rest.npos ? "" : rest.substr(header_end + 1));
}

/// Three tokens in one pass, one more in the next. Weights may be any numbers, so the results may be too.
void compute(const std::shared_ptr<kernels::Backend>& backend, const std::shared_ptr<const refserver::Checkpoint>& from,
             refserver::HeadStorage head) {
  const refserver::HostMemoryRequest request{
      .head = head, .pass_rows = 4, .logit_rows = 1, .context_tokens = 16, .budget_bytes = kMemory};
  const auto plan = refserver::plan_host_memory(*from, request);
  if (plan.has_error()) return require(!plan.error().empty());
  auto weights = refserver::upload_weights(*backend, from, head);
  if (weights.has_error()) return require(!weights.error().text.empty());
  require(weights->bytes <= plan->weight_bytes);
  refserver::Transformer model(backend, std::make_shared<const refserver::ModelWeights>(std::move(*weights)),
                               {.rows = 4, .logit_rows = 1, .blocks = 2, .block_tokens = 16});
  const auto last = static_cast<std::int32_t>(from->config().vocab_size - 1);
  const std::vector<std::int32_t> prompt{0, last / 2, last}, next{last}, blocks{1}, third{2}, first{0};
  model.run(std::vector<refserver::SequenceSlice>{{0, prompt, blocks}});
  require(model.logits(third).size() == from->config().vocab_size);
  model.run(std::vector<refserver::SequenceSlice>{{3, next, blocks}});
  require(model.logits(first).size() == from->config().vocab_size);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  static const fs::path folder = [] {
    std::string name = (fs::temp_directory_path() / "plumbline-fuzz-XXXXXX").string();
    require(mkdtemp(name.data()) != nullptr);
    return fs::path(name);
  }();
  static const std::shared_ptr<kernels::Backend> backends[] = {
      kernels::make_cpu_backend(kernels::CpuIsa::avx2, {kernels::Precision::exact, 1}),
      kernels::make_cpu_backend(kernels::CpuIsa::portable, {kernels::Precision::fast, 1})};
  write_folder(folder, {reinterpret_cast<const char*>(data) + 1, size - 1});
  auto opened = refserver::Checkpoint::open(folder);
  if (opened.has_error()) {
    require(!opened.error().text.empty() && !opened.error().file.empty());
    return 0;
  }
  const auto checkpoint = std::make_shared<const refserver::Checkpoint>(std::move(*opened));
  const auto& backend = backends[data[0] % 2];
  if (!backend->available()) return 0;
  compute(backend, checkpoint, data[0] / 2 % 2 == 0 ? refserver::HeadStorage::as_stored : refserver::HeadStorage::int8);
  return 0;
}
