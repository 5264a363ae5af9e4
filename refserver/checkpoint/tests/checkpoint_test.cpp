// Whole folders: as synth writes them, with the oddities of published ones, and with one thing wrong.
#include "refserver/checkpoint/checkpoint.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <functional>
#include <string>

#include "kernels/fp16.hpp"
#include "refserver/checkpoint/synth/synth.hpp"
#include "refserver/checkpoint/tests/raw_safetensors.hpp"

namespace refserver {
namespace {

namespace fs = std::filesystem;
using ::testing::AllOf;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr const char* kDown = "model.layers.1.mlp.down_proj";

class CheckpointTest : public ::testing::Test {
 protected:
  /// A made-up folder; throws when it cannot be written.
  fs::path make(const SynthOptions& options) {
    const fs::path folder = dir_ / ("model" + std::to_string(count_++));
    const auto report = write_synthetic_checkpoint(options, folder, {});
    if (report.has_error()) throw std::runtime_error(report.error().message());
    return folder;
  }
  SynthOptions tiny(const char* preset) const {
    SynthOptions options;
    options.preset = preset;
    options.tokenizer_folder = tokenizer_;
    return options;
  }
  static Checkpoint open(const fs::path& folder) {
    auto checkpoint = Checkpoint::open(folder);
    if (checkpoint.has_error()) throw std::runtime_error(checkpoint.error().message());
    return std::move(*checkpoint);
  }
  /// The message for a folder that must not open.
  static std::string refusal(const fs::path& folder) {
    const auto checkpoint = Checkpoint::open(folder);
    return checkpoint.has_error() ? checkpoint.error().message() : "opened";
  }
  static void edit(const fs::path& folder, const std::function<void(RawTensors&)>& change, std::size_t padding = 0) {
    RawTensors tensors = read_raw(folder / "model.safetensors");
    change(tensors);
    write_raw(folder / "model.safetensors", tensors, padding);
  }
  static void edit_json(const fs::path& file, const std::function<void(nlohmann::json&)>& change) {
    auto json = nlohmann::json::parse(read_bytes(file));
    change(json);
    write_text(file, json.dump());
  }
  exporters::ScratchDir dir_;
  std::filesystem::path tokenizer_ = make_small_tokenizer(dir_ / "tokenizer");
  int count_ = 0;
};

TEST_F(CheckpointTest, OpensATinyQwen2) {
  const Checkpoint checkpoint = open(make(tiny("tiny-qwen2")));
  EXPECT_THAT(checkpoint.warnings(), ElementsAre());
  ASSERT_EQ(checkpoint.layers().size(), 2U);
  const LayerWeights& layer = checkpoint.layers()[1];
  EXPECT_EQ(layer.down.name, kDown);
  EXPECT_EQ(layer.down.in, 256U);
  EXPECT_EQ(layer.down.out, 128U);
  ASSERT_NE(layer.down.quantized(), nullptr);
  EXPECT_TRUE(layer.down.quantized()->is_symmetric);
  EXPECT_TRUE(layer.down.quantized()->groups_in_order);
  EXPECT_EQ(layer.down.quantized()->matrix.groups(), 2U);
  EXPECT_TRUE(layer.q.bias && layer.k.bias && layer.v.bias);
  EXPECT_FALSE(layer.o.bias || layer.gate.bias || layer.up.bias || layer.down.bias);  // in the file, all zero
  EXPECT_NEAR(layer.input_norm.at(5), 1, 0.11);
  EXPECT_EQ(checkpoint.lm_head().plain()->rows, 104U);
  EXPECT_EQ(checkpoint.embedding().cols, 128U);
  EXPECT_THAT(checkpoint.config().stop_token_ids, ElementsAre(103, 102));
}

TEST_F(CheckpointTest, TheTokenizersCompiledInFitTheirModels) {
  for (const char* const preset : {"tiny-qwen2", "tiny-llama"}) {
    SynthOptions options = tiny(preset);
    options.tokenizer_folder.clear();
    const Checkpoint checkpoint = open(make(options));
    EXPECT_GE(checkpoint.config().vocab_size, 5000U);
    EXPECT_GE(checkpoint.config().stop_token_ids.size(), 2U);
    EXPECT_THAT(checkpoint.warnings(), ElementsAre());
  }
}

TEST_F(CheckpointTest, ViewsSurviveAMove) {
  Checkpoint first = open(make(tiny("tiny-qwen2")));
  const Linear* const down = &first.layers()[1].down;
  const float before = down->at(3, 5);
  const Checkpoint second = std::move(first);
  EXPECT_EQ(&second.layers()[1].down, down);
  EXPECT_EQ(down->at(3, 5), before);
  EXPECT_EQ(down->name, kDown);
}

TEST_F(CheckpointTest, QuantisedWeightsAreWithinHalfAStepOfTheirPlainOnes) {
  for (const char* const preset : {"tiny-qwen2", "tiny-llama"}) {
    for (const unsigned bits : {4U, 8U}) {
      for (const bool sym : {true, false}) {
        SynthOptions options = tiny(preset);
        options.bits = bits;
        options.sym = sym;
        options.group_size = 32;
        options.version = sym ? kernels::GptqVersion::v1 : kernels::GptqVersion::v2;
        const Checkpoint quantised = open(make(options));
        options.quant = SynthQuant::none;
        options.dtype = Dtype::f32;
        const Checkpoint plain = open(make(options));
        const Linear& q = quantised.layers()[0].up;
        const Linear& p = plain.layers()[0].up;
        const auto& matrix = q.quantized()->matrix;
        EXPECT_EQ(matrix.bits(), bits);
        EXPECT_EQ(q.quantized()->groups_in_order, std::string(preset) == "tiny-qwen2");
        // Half a step, and what rounding the scale to a half moves the outermost code; a fitted zero point is a whole
        // number, so that the outermost weight may miss by a step.
        const float largest = !sym ? 1.05F : bits == 4 ? 0.51F : 0.57F;
        double sum = 0;
        std::size_t count = 0;
        for (std::size_t i = 0; i < q.in * q.out; i += 7, ++count) {
          const std::size_t k = i / q.out, n = i % q.out;
          const float missed = std::abs(q.at(k, n) - p.at(k, n)) / matrix.scale(matrix.group(k), n);
          ASSERT_LE(missed, largest) << preset << bits << sym << " " << k << "," << n;
          sum += missed;
        }
        EXPECT_NEAR(sum / static_cast<double>(count), 0.25, 0.02) << preset << bits << sym;
      }
    }
  }
}

TEST_F(CheckpointTest, OpensEveryShapeOfFolder) {
  const std::vector<std::pair<const char*, std::function<void(SynthOptions&)>>> shapes = {
      {"shards", [](auto& o) { o.max_shard_bytes = 50'000; }},
      {"newer", [](auto& o) { o.config_style = ConfigStyle::newer, o.template_place = TemplatePlace::file; }},
      {"one group", [](auto& o) { o.group_size = 0; }},
      {"short last group", [](auto& o) { o.group_size = 96; }},
      {"tied", [](auto& o) { o.tie_embeddings = true; }},
      {"padded vocabulary", [](auto& o) { o.vocab_size = 128; }},
      {"quantised head", [](auto& o) { o.quantize_lm_head = true; }},
      {"bf16", [](auto& o) { o.dtype = Dtype::bf16; }},
      {"plain bf16", [](auto& o) { o.dtype = Dtype::bf16, o.quant = SynthQuant::none; }},
      {"asymmetric v2", [](auto& o) { o.sym = false, o.version = kernels::GptqVersion::v2; }},
      {"desc_act", [](auto& o) { o.desc_act = true, o.group_size = 64; }},
  };
  for (const char* const preset : {"tiny-qwen2", "tiny-llama"}) {
    for (const auto& [what, shape] : shapes) {
      SCOPED_TRACE(std::string(preset) + ", " + what);
      SynthOptions options = tiny(preset);
      shape(options);
      const Checkpoint checkpoint = open(make(options));
      EXPECT_THAT(checkpoint.warnings(), ElementsAre());
      EXPECT_EQ(checkpoint.lm_head().out, checkpoint.config().vocab_size);
      EXPECT_TRUE(std::isfinite(checkpoint.lm_head().at(1, 1)));
      EXPECT_TRUE(std::isfinite(checkpoint.layers()[1].down.at(255, 127)));
    }
  }
}

TEST_F(CheckpointTest, SynthIsDeterministicAndItsSeedCounts) {
  const fs::path a = make(tiny("tiny-llama")), b = make(tiny("tiny-llama"));
  SynthOptions other = tiny("tiny-llama");
  other.seed = 2;
  const fs::path c = make(other);
  for (const auto& file : fs::directory_iterator(a)) {
    EXPECT_EQ(read_bytes(file.path()), read_bytes(b / file.path().filename())) << file.path();
  }
  EXPECT_NE(read_bytes(a / "model.safetensors"), read_bytes(c / "model.safetensors"));
  EXPECT_THAT(write_synthetic_checkpoint(other, c, {}).error().message(), HasSubstr("is not empty"));
}

TEST_F(CheckpointTest, ToleratesTheOdditiesOfPublishedFolders) {
  const fs::path folder = make(tiny("tiny-qwen2"));
  edit(folder, [](RawTensors& tensors) {
    tensors["model.layers.0.self_attn.rotary_emb.inv_freq"] = {"F32", {16}, std::string(64, '\1')};
    tensors["model.extra"] = {"I64", {1}, std::string(8, '\0')};
    for (const char* const name : {".g_idx"}) tensors.erase(kDown + std::string(name));  // desc_act is false
    tensors["model.layers.0.mlp.up_proj.bias"].bytes[1] = 0x3C;                          // 1.0
  });
  write_text(folder / "quantize_config.json", R"({"bits":4,"group_size":64,"desc_act":false,"sym":true})");
  const Checkpoint checkpoint = open(folder);
  EXPECT_THAT(checkpoint.warnings(),
              ElementsAre(AllOf(HasSubstr("quantize_config.json"), HasSubstr("group_size")),
                          HasSubstr("model.layers.0.mlp.up_proj.bias: a bias this architecture does not have"),
                          "model.extra: tensors that this architecture does not have are ignored"));
  EXPECT_TRUE(checkpoint.layers()[0].up.bias);
  EXPECT_EQ(checkpoint.layers()[0].up.bias->at(0), 1);
  EXPECT_TRUE(checkpoint.layers()[1].down.quantized()->groups_in_order);
}

TEST_F(CheckpointTest, ReadsTensorsThatAreNotAligned) {
  const fs::path folder = make(tiny("tiny-llama"));
  const float expected = open(folder).layers()[1].down.at(200, 100);
  edit(
      folder, [](RawTensors&) {}, 3);
  const Checkpoint checkpoint = open(folder);
  EXPECT_EQ(checkpoint.layers()[1].down.at(200, 100), expected);
  EXPECT_TRUE(std::isfinite(checkpoint.layers()[1].input_norm.at(127)));
  EXPECT_THAT(checkpoint.warnings(), ElementsAre(HasSubstr("not aligned")));
}

TEST_F(CheckpointTest, TensorsCountWhereTheConfigurationSaysOtherwise) {
  SynthOptions options = tiny("tiny-qwen2");
  options.group_size = 64;
  options.version = kernels::GptqVersion::v2;
  options.desc_act = true;
  const fs::path folder = make(options);
  const float expected = open(folder).layers()[1].down.at(200, 100);
  edit_json(folder / "config.json", [](auto& config) {
    config["quantization_config"]["group_size"] = 128;
    config["quantization_config"]["desc_act"] = false;
    config["quantization_config"].erase("checkpoint_format");
  });
  const Checkpoint checkpoint = open(folder);
  EXPECT_EQ(checkpoint.layers()[1].down.at(200, 100), expected);
  EXPECT_TRUE(checkpoint.layers()[1].down.quantized()->is_symmetric);
  EXPECT_THAT(checkpoint.warnings(), Contains(HasSubstr("groups of 64 rows where the configuration says 128")));
  EXPECT_THAT(checkpoint.warnings(), Contains(HasSubstr("stored as gptq_v2 does")));
  EXPECT_THAT(checkpoint.warnings(), Contains(HasSubstr("scattered groups although desc_act is false")));
}

TEST_F(CheckpointTest, OldNamesOfASingleFile) {
  const fs::path folder = make(tiny("tiny-qwen2"));
  fs::rename(folder / "model.safetensors", folder / "gptq_model-4bit-128g.safetensors");
  EXPECT_EQ(open(folder).layers().size(), 2U);
  write_text(folder / "other.safetensors", "");
  EXPECT_THAT(refusal(folder), HasSubstr("2 safetensors files, of which one cannot be chosen"));
  edit_json(folder / "config.json",
            [](auto& c) { c["quantization_config"]["model_file_base_name"] = "gptq_model-4bit-128g"; });
  EXPECT_EQ(open(folder).layers().size(), 2U);
  fs::remove(folder / "other.safetensors");
  fs::remove(folder / "gptq_model-4bit-128g.safetensors");
  EXPECT_THAT(refusal(folder), HasSubstr("has neither model.safetensors nor model.safetensors.index.json"));
}

TEST_F(CheckpointTest, TheFoldersOwnFilesAreNeeded) {
  EXPECT_THAT(refusal(dir_ / "absent"), HasSubstr("absent: is not a folder"));
  const fs::path folder = make(tiny("tiny-qwen2"));
  fs::remove(folder / "config.json");
  EXPECT_THAT(refusal(folder), HasSubstr("config.json: cannot be opened"));
}

struct Sad {
  const char* what;
  std::function<void(RawTensors&)> spoil;
  const char* message;
};

class TensorRefusal : public CheckpointTest, public ::testing::WithParamInterface<Sad> {};

TEST_P(TensorRefusal, NamesFileAndTensorAndWhatWasExpected) {
  SynthOptions options = tiny("tiny-llama");
  const fs::path folder = make(options);
  edit(folder, GetParam().spoil);
  EXPECT_THAT(refusal(folder), HasSubstr(GetParam().message));
}

std::string down(const char* tensor) {
  return std::string(kDown) + tensor;
}

INSTANTIATE_TEST_SUITE_P(
    Sad, TensorRefusal,
    ::testing::Values(
        Sad{"no_embedding", [](auto& all) { all.erase("model.embed_tokens.weight"); },
            "model.embed_tokens.weight: is in none of the 1 files; it should be F16, BF16 or F32 [104, 128]"},
        Sad{"no_qweight", [](auto& all) { all.erase(down(".qweight")); },
            "model.layers.1.mlp.down_proj.qweight: is in none of the 1 files; it should be I32 [32, 128]"},
        Sad{"no_scales", [](auto& all) { all.erase(down(".scales")); }, "down_proj.scales: is in none"},
        Sad{"no_qzeros", [](auto& all) { all.erase(down(".qzeros")); },
            "down_proj.qzeros: is in none of the 1 files; it should be I32 [2, 16]"},
        Sad{"no_g_idx", [](auto& all) { all.erase(down(".g_idx")); },
            "down_proj.g_idx: is in none of the 1 files; it should be I32 [256]"},
        Sad{"no_norm", [](auto& all) { all.erase("model.norm.weight"); }, "model.norm.weight: is in none"},
        Sad{"no_head", [](auto& all) { all.erase("lm_head.weight"); }, "lm_head.weight: is in none"},
        Sad{"shape",
            [](auto& all) {
              all[down(".qweight")].shape = {64, 64};
            },
            "model.safetensors: model.layers.1.mlp.down_proj.qweight: I32 [64, 64] should be I32 [32, 128]"},
        Sad{"rank", [](auto& all) { all[down(".scales")].shape = {2 * 128}; },
            "scales: F16 [256] should be F16 [2, 128]"},
        Sad{"dtype", [](auto& all) { all[down(".scales")].dtype = "I16"; },
            "down_proj.scales: I16 [2, 128] should be F16 [2, 128]"},
        Sad{"wide_g_idx",
            [](auto& all) {
              all[down(".g_idx")] = {"I64", {256}, std::string(2048, '\0')};
            },
            "down_proj.g_idx: I64 [256] should be I32 [256]"},
        Sad{"group_range", [](auto& all) { all[down(".g_idx")].bytes[0] = 2; },
            "model.layers.1.mlp.down_proj.g_idx: row 0 is in group 2, and there are 2 groups"},
        Sad{"group_crowded", [](auto& all) { all[down(".g_idx")].bytes.assign(1024, '\0'); },
            "down_proj.g_idx: group 0 has more than 128 rows"},
        Sad{"scale_nan", [](auto& all) { all[down(".scales")].bytes[1] = '\x7E'; },
            "down_proj.scales: [0, 0] of shape"},
        Sad{"norm_nan", [](auto& all) { all["model.norm.weight"].bytes[3] = '\x7E'; },
            "model.norm.weight: [1] is not finite"},
        Sad{"scales_rows",
            [](auto& all) {
              all[down(".scales")] = {"F16", {3, 128}, std::string(768, '\0')};
            },
            "down_proj.scales: F16 [3, 128] should be F16 [2, 128]"},
        Sad{"scales_none",
            [](auto& all) {
              all[down(".scales")] = {"F16", {0, 128}, ""};
            },
            "down_proj.scales: F16 [0, 128] should be F16 [2, 128]"},
        Sad{"both",
            [](auto& all) {
              all[down(".weight")] = {"F16", {128, 256}, std::string(65536, '\0')};
            },
            "model.layers.1.mlp.down_proj: has both .weight and .qweight"}),
    [](const auto& instance) { return std::string(instance.param.what); });

TEST_F(CheckpointTest, QwenNeedsItsBiases) {
  const fs::path folder = make(tiny("tiny-qwen2"));
  edit(folder, [](RawTensors& t) { t.erase("model.layers.0.self_attn.k_proj.bias"); });
  EXPECT_THAT(refusal(folder), HasSubstr("model.layers.0.self_attn.k_proj.bias: is in none"));
}

TEST_F(CheckpointTest, QuantisedTensorsNeedAConfiguration) {
  const fs::path folder = make(tiny("tiny-qwen2"));
  edit_json(folder / "config.json", [](auto& c) { c.erase("quantization_config"); });
  EXPECT_THAT(refusal(folder), HasSubstr("q_proj.qweight: is quantised, but neither config.json nor"));
  write_text(folder / "quant_config.json", R"({"bits":4,"group_size":128,"desc_act":false,"sym":true})");
  EXPECT_EQ(open(folder).layers().size(), 2U);
}

class ShardTest : public CheckpointTest {
 protected:
  ShardTest() {
    SynthOptions options = tiny("tiny-llama");
    options.max_shard_bytes = 100'000;
    folder_ = make(options);
  }
  std::string shard(int i) const { return "model-0000" + std::to_string(i) + "-of-00003.safetensors"; }
  fs::path index() const { return folder_ / "model.safetensors.index.json"; }
  fs::path folder_;
};

TEST_F(ShardTest, MissingExtraAndLyingShards) {
  ASSERT_EQ(open(folder_).file_count(), 3U);
  write_text(folder_ / "consolidated.safetensors", "");
  EXPECT_THAT(open(folder_).warnings(), ElementsAre(HasSubstr("consolidated.safetensors: is not in")));
  fs::rename(folder_ / shard(2), folder_ / "away");
  EXPECT_THAT(refusal(folder_), HasSubstr(shard(2) + ": cannot be opened"));
  fs::copy(folder_ / shard(3), folder_ / shard(2));
  EXPECT_THAT(refusal(folder_), AllOf(HasSubstr(shard(2)), HasSubstr("says it is in this file, and it is not")));
  fs::remove(folder_ / shard(2));
  fs::rename(folder_ / "away", folder_ / shard(2));
  RawTensors third = read_raw(folder_ / shard(3));
  third[down(".g_idx")] = read_raw(folder_ / shard(2)).at(down(".g_idx"));
  write_raw(folder_ / shard(3), third);
  EXPECT_THAT(refusal(folder_), AllOf(HasSubstr(down(".g_idx") + ": is in "), HasSubstr(shard(2) + " too")));
}

TEST_F(ShardTest, TheIndexNamesFilesOfTheFolderOnly) {
  const auto original = read_bytes(index());
  for (const char* const name : {"/etc/passwd", "../x.safetensors", "a/b.safetensors", ".safetensors", "x.bin", ""}) {
    edit_json(index(), [name](auto& json) { json["weight_map"]["model.norm.weight"] = name; });
    EXPECT_THAT(refusal(folder_), HasSubstr("is not the name of a safetensors file of this folder")) << name;
    write_text(index(), original);
  }
  edit_json(index(), [](auto& json) { json["weight_map"]["model.norm.weight"] = 5; });
  EXPECT_THAT(refusal(folder_), HasSubstr("weight_map.model.norm.weight: 5 is not the name"));
  edit_json(index(), [](auto& json) { json["weight_map"] = nlohmann::json::object(); });
  EXPECT_THAT(refusal(folder_), HasSubstr("weight_map: names 0 files"));
  write_text(index(), "{}");
  EXPECT_THAT(refusal(folder_), HasSubstr("weight_map: is missing"));
}

TEST_F(ShardTest, SaysWhereTheIndexIsInaccurate) {
  edit_json(index(), [](auto& json) {
    json["metadata"]["total_size"] = 5.0;
    json["weight_map"].erase("model.norm.weight");
  });
  EXPECT_THAT(open(folder_).warnings(), ElementsAre(HasSubstr("tensors, of which model.safetensors.index.json names"),
                                                    HasSubstr("metadata.total_size is 5, the tensors have")));
}

}  // namespace
}  // namespace refserver
