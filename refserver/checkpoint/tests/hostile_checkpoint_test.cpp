// A tiny folder with bytes flipped, cut and repeated at random: it opens or it is refused with a text, and what opens
// can be read everywhere. Run under the sanitizers this is where an unchecked length shows.
#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <string>
#include <vector>

#include "refserver/checkpoint/checkpoint.hpp"
#include "refserver/checkpoint/synth/synth.hpp"
#include "refserver/checkpoint/tests/raw_safetensors.hpp"

namespace refserver {
namespace {

namespace fs = std::filesystem;

/// Reads the first and last weight of everything.
double touch(const Checkpoint& checkpoint) {
  double sum = 0;
  const auto ends = [&sum](const Linear& linear) {
    sum += linear.at(0, 0) + linear.at(linear.in - 1, linear.out - 1);
    if (linear.bias) sum += linear.bias->at(linear.bias->size - 1);
  };
  for (const LayerWeights& layer : checkpoint.layers()) {
    for (const Linear* const linear : {&layer.q, &layer.k, &layer.v, &layer.o, &layer.gate, &layer.up, &layer.down}) {
      ends(*linear);
    }
    sum += layer.input_norm.at(0) + layer.post_attention_norm.at(0);
  }
  ends(checkpoint.lm_head());
  return sum + checkpoint.embedding().at(checkpoint.embedding().rows - 1, 0) + checkpoint.final_norm().at(0);
}

class Spoiler {
 public:
  explicit Spoiler(unsigned seed) : random_(seed) {}

  /// One to three changes within the first `limit` bytes, where headers are.
  std::string spoil(std::string text, std::size_t limit) {
    for (std::size_t left = 1 + below(3); left > 0; --left) change(text, std::min(limit, text.size()));
    return text;
  }

 private:
  std::size_t below(std::size_t bound) {
    return bound == 0 ? 0 : std::uniform_int_distribution<std::size_t>(0, bound - 1)(random_);
  }

  void change(std::string& text, std::size_t limit) {
    if (limit == 0) return;
    const std::size_t at = below(limit);
    switch (below(6)) {
      case 0:  // a bit
        text[at] = static_cast<char>(text[at] ^ 1 << below(8));
        break;
      case 1:  // a byte
        text[at] = static_cast<char>(below(256));
        break;
      case 2:  // a digit, so that numbers stay numbers
        for (std::size_t i = at; i < limit; ++i) {
          if (text[i] < '0' || text[i] > '9') continue;
          text[i] = static_cast<char>('0' + below(10));
          break;
        }
        break;
      case 3:  // some bytes taken out
        text.erase(at, 1 + below(8));
        break;
      case 4:  // some bytes twice
        text.insert(at, text.substr(at, 1 + below(16)));
        break;
      default:  // the rest cut off
        if (below(8) == 0) text.resize(at);
        break;
    }
  }

  std::mt19937 random_;
};

TEST(HostileCheckpoint, OpensOrIsRefusedWithAText) {
  const exporters::ScratchDir dir;
  const fs::path folder = dir / "m";
  SynthOptions options;
  options.preset = "tiny-llama";
  options.tokenizer_folder = make_small_tokenizer(dir / "tokenizer");
  ASSERT_TRUE(write_synthetic_checkpoint(options, folder, {}).has_value());
  const std::vector<std::pair<std::string, std::size_t>> files = {{"model.safetensors", 6000},
                                                                  {"model.safetensors", std::size_t{1} << 30U},
                                                                  {"config.json", 10000},
                                                                  {"generation_config.json", 10000},
                                                                  {"quantize_config.json", 10000}};
  Spoiler spoiler(20261121);
  int opened = 0, refused = 0;
  for (int round = 0; round < 60; ++round) {
    for (const auto& [name, limit] : files) {
      const std::string original = read_bytes(folder / name);
      write_text(folder / name, spoiler.spoil(original, limit));
      const auto checkpoint = Checkpoint::open(folder);
      if (checkpoint.has_value()) {
        ++opened;
        EXPECT_EQ(checkpoint->layers().size(), checkpoint->config().layers);
        touch(*checkpoint);
      } else {
        ++refused;
        EXPECT_FALSE(checkpoint.error().text.empty());
        EXPECT_FALSE(checkpoint.error().file.empty());
      }
      write_text(folder / name, original);
    }
  }
  // Both must happen, or the changes test nothing.
  EXPECT_GT(opened, 20);
  EXPECT_GT(refused, 100);
}

TEST(HostileCheckpoint, EveryCutOfAShardIsRefused) {
  const exporters::ScratchDir dir;
  SynthOptions options;
  options.preset = "tiny-qwen2";
  options.tokenizer_folder = make_small_tokenizer(dir / "tokenizer");
  ASSERT_TRUE(write_synthetic_checkpoint(options, dir / "m", {}).has_value());
  const fs::path file = dir / "m" / "model.safetensors";
  const auto whole = fs::file_size(file);
  for (std::uintmax_t length = whole - 1; length > 0; length = length * 9 / 10) {
    fs::resize_file(file, length);
    const auto checkpoint = Checkpoint::open(dir / "m");
    ASSERT_TRUE(checkpoint.has_error()) << length;
    EXPECT_EQ(checkpoint.error().code, CheckpointErrc::bad_header);
    EXPECT_EQ(checkpoint.error().file, file.string());
  }
}

}  // namespace
}  // namespace refserver
