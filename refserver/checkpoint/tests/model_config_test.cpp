// Old and new spellings mean the same; what would change the arithmetic is refused by name.
#include "refserver/checkpoint/model_config.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <nlohmann/json.hpp>
#include <string>

#include "refserver/checkpoint/json_document.hpp"

namespace refserver {
namespace {

using nlohmann::json;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

/// Qwen2-7B-Instruct-GPTQ-Int4's fields.
json qwen2() {
  return json::parse(R"({"architectures":["Qwen2ForCausalLM"],"attention_dropout":0.0,"bos_token_id":151643,
    "eos_token_id":151645,"hidden_act":"silu","hidden_size":3584,"initializer_range":0.02,"intermediate_size":18944,
    "max_position_embeddings":32768,"max_window_layers":28,"model_type":"qwen2","num_attention_heads":28,
    "num_hidden_layers":28,"num_key_value_heads":4,"rms_norm_eps":1e-06,"rope_theta":1000000.0,"sliding_window":131072,
    "tie_word_embeddings":false,"torch_dtype":"float16","use_cache":true,"use_sliding_window":false,"vocab_size":152064,
    "quantization_config":{"bits":4,"damp_percent":0.01,"desc_act":false,"group_size":128,"modules_in_block_to_quantize":
    null,"quant_method":"gptq","static_groups":false,"sym":true,"true_sequential":true}})");
}

/// Meta-Llama-3.1-8B-Instruct-GPTQ-INT4's fields.
json llama() {
  return json::parse(R"({"architectures":["LlamaForCausalLM"],"attention_bias":false,"bos_token_id":128000,
    "eos_token_id":[128001,128008,128009],"hidden_act":"silu","hidden_size":4096,"intermediate_size":14336,
    "max_position_embeddings":131072,"mlp_bias":false,"model_type":"llama","num_attention_heads":32,
    "num_hidden_layers":32,"num_key_value_heads":8,"pretraining_tp":1,"rms_norm_eps":1e-05,"rope_scaling":{"factor":8.0,
    "high_freq_factor":4.0,"low_freq_factor":1.0,"original_max_position_embeddings":8192,"rope_type":"llama3"},
    "rope_theta":500000.0,"tie_word_embeddings":false,"torch_dtype":"float16","vocab_size":128256,
    "quantization_config":{"bits":4,"damp_percent":0.1,"desc_act":true,"group_size":128,"is_marlin_format":false,
    "model_file_base_name":null,"quant_method":"gptq","static_groups":false,"sym":true,"true_sequential":true}})");
}

CheckpointResult<ParsedConfig> parse(const json& config, const char* generation = nullptr,
                                     const char* quant = nullptr) {
  ConfigTexts texts{.config = {"config.json", config.dump()}, .generation_config = {}, .quantize_config = {}};
  if (generation != nullptr) texts.generation_config = {"generation_config.json", generation};
  if (quant != nullptr) texts.quantize_config = {"quantize_config.json", quant};
  return parse_model_config(texts);
}

ParsedConfig must(CheckpointResult<ParsedConfig> result) {
  if (result.has_error()) throw std::runtime_error(result.error().message());
  return std::move(*result);
}

TEST(ModelConfig, ReadsQwen2AsPublished) {
  const ParsedConfig parsed = must(parse(qwen2(), R"({"bos_token_id":151643,"do_sample":true,
    "eos_token_id":[151645,151643],"pad_token_id":151643,"repetition_penalty":1.05,"temperature":0.7,"top_k":20,"top_p":0.8})"));
  const ModelConfig& config = parsed.config;
  EXPECT_EQ(config.architecture, Architecture::qwen2);
  EXPECT_EQ(config.head_dim, 128U);
  EXPECT_EQ(config.kv_size(), 512U);
  EXPECT_EQ(config.rms_norm_eps, 1e-6);
  EXPECT_EQ(config.rope.theta, 1e6);
  EXPECT_FALSE(config.rope.llama3);
  EXPECT_TRUE(config.qkv_bias);
  EXPECT_FALSE(config.o_bias || config.mlp_bias || config.tie_word_embeddings);
  EXPECT_EQ(config.dtype, Dtype::f16);
  EXPECT_THAT(config.stop_token_ids, ElementsAre(151645, 151643));
  EXPECT_EQ(config.bos_token_id, 151643U);
  EXPECT_EQ(config.sampling.top_k, 20U);
  EXPECT_EQ(config.sampling.repetition_penalty, 1.05);
  ASSERT_TRUE(config.quantization);
  EXPECT_EQ(config.quantization->bits, 4U);
  EXPECT_EQ(config.quantization->group_size, 128U);
  EXPECT_EQ(config.quantization->version, kernels::GptqVersion::v1);
  EXPECT_EQ(config.quantization->desc_act, false);
  EXPECT_EQ(config.quantization->sym, true);
  EXPECT_THAT(parsed.warnings, ElementsAre());
}

TEST(ModelConfig, ReadsLlamaAsPublished) {
  const ParsedConfig parsed = must(parse(llama(), R"({"eos_token_id":[128001,128008,128009]})",
                                         R"({"bits":4,"group_size":128,"desc_act":true,"sym":true})"));
  const ModelConfig& config = parsed.config;
  EXPECT_EQ(config.architecture, Architecture::llama);
  EXPECT_FALSE(config.qkv_bias);
  ASSERT_TRUE(config.rope.llama3);
  EXPECT_EQ(config.rope.llama3->factor, 8);
  EXPECT_EQ(config.rope.llama3->original_max_positions, 8192U);
  EXPECT_THAT(config.stop_token_ids, ElementsAre(128001, 128008, 128009));
  EXPECT_EQ(config.quantization->desc_act, true);
  EXPECT_THAT(parsed.warnings, ElementsAre());
}

TEST(ModelConfig, NewSpellingsMeanTheSame) {
  json newer = llama();
  newer["rope_parameters"] = newer["rope_scaling"];
  newer["rope_parameters"]["rope_theta"] = newer["rope_theta"];
  newer["dtype"] = newer["torch_dtype"];
  newer["head_dim"] = 128;
  newer["layer_types"] = json(std::vector<std::string>(32, "full_attention"));
  for (const char* const old : {"rope_scaling", "rope_theta", "torch_dtype"}) newer.erase(old);
  const ModelConfig config = must(parse(newer)).config;
  EXPECT_EQ(config.rope.theta, 500000);
  EXPECT_EQ(config.rope.llama3->high_freq_factor, 4);
  EXPECT_EQ(config.dtype, Dtype::f16);
  json plain = qwen2();
  plain["rope_parameters"] = {{"rope_theta", 1e6}, {"rope_type", "default"}};
  plain.erase("rope_theta");
  EXPECT_EQ(must(parse(plain)).config.rope.theta, 1e6);
  json older = llama();
  older["rope_scaling"]["type"] = "llama3";
  older["rope_scaling"].erase("rope_type");
  EXPECT_TRUE(must(parse(older)).config.rope.llama3);
}

TEST(ModelConfig, DefaultsAreTheFamilies) {
  json bare = llama();
  for (const char* const name :
       {"num_key_value_heads", "tie_word_embeddings", "rope_scaling", "rope_theta", "torch_dtype", "attention_bias",
        "mlp_bias", "eos_token_id", "bos_token_id", "quantization_config"}) {
    bare.erase(name);
  }
  bare["head_dim"] = nullptr;
  const ModelConfig config = must(parse(bare)).config;
  EXPECT_EQ(config.kv_heads, 32U);
  EXPECT_EQ(config.head_dim, 128U);
  EXPECT_EQ(config.rope.theta, 10000);
  EXPECT_FALSE(config.tie_word_embeddings || config.quantization || config.dtype || config.bos_token_id);
  EXPECT_THAT(config.stop_token_ids, ElementsAre());
}

TEST(ModelConfig, BiasesOfLlamaAreStated) {
  json config = llama();
  config["attention_bias"] = config["mlp_bias"] = true;
  const ModelConfig read = must(parse(config)).config;
  EXPECT_TRUE(read.qkv_bias && read.o_bias && read.mlp_bias);
  EXPECT_TRUE(layer_linears(read)[6].has_bias);
}

TEST(ModelConfig, QuantisationMayBeInAFileOfItsOwn) {
  json config = qwen2();
  config.erase("quantization_config");
  const ParsedConfig own = must(parse(config, nullptr, R"({"bits":8,"group_size":-1,"desc_act":true,"sym":false,
    "checkpoint_format":"gptq_v2","lm_head":true,"model_file_base_name":"gptq_model-8bit"})"));
  ASSERT_TRUE(own.config.quantization);
  EXPECT_EQ(own.config.quantization->bits, 8U);
  EXPECT_EQ(own.config.quantization->group_size, 0U);
  EXPECT_EQ(own.config.quantization->version, kernels::GptqVersion::v2);
  EXPECT_TRUE(own.config.quantization->lm_head);
  EXPECT_EQ(own.config.quantization->file_base_name, "gptq_model-8bit");
  const ParsedConfig both = must(parse(qwen2(), nullptr, R"({"bits":4,"group_size":64,"desc_act":true,"sym":true})"));
  EXPECT_EQ(both.config.quantization->group_size, 128U);
  ASSERT_EQ(both.warnings.size(), 1U);
  EXPECT_THAT(both.warnings[0],
              HasSubstr("quantize_config.json: differs from config.json, which counts, in group_size, desc_act"));
}

TEST(ModelConfig, WarnsOfAsymmetricZerosInTheFirstFormat) {
  json config = qwen2();
  config["quantization_config"]["sym"] = false;
  EXPECT_THAT(must(parse(config)).warnings.at(0), HasSubstr("zero points of 0"));
  config["quantization_config"]["checkpoint_format"] = "gptq_v2";
  EXPECT_TRUE(must(parse(config)).warnings.empty());
}

struct Sad {
  const char* what;
  std::function<void(json&)> spoil;
  CheckpointErrc code;
  const char* message;
};

class ConfigRefusal : public ::testing::TestWithParam<Sad> {};

TEST_P(ConfigRefusal, NamesTheField) {
  json config = llama();
  GetParam().spoil(config);
  const auto parsed = parse(config);
  ASSERT_TRUE(parsed.has_error());
  EXPECT_EQ(parsed.error().code, GetParam().code);
  EXPECT_THAT(parsed.error().message(), HasSubstr(std::string("config.json: ") + GetParam().message));
}

constexpr auto kUnsupported = CheckpointErrc::unsupported;
constexpr auto kBadField = CheckpointErrc::bad_field;

INSTANTIATE_TEST_SUITE_P(
    Sad, ConfigRefusal,
    ::testing::Values(
        Sad{"model_type", [](json& c) { c["model_type"] = "mistral"; }, kUnsupported,
            "model_type: \"mistral\" is not known"},
        Sad{"no_model_type", [](json& c) { c.erase("model_type"); }, kUnsupported, "model_type: is missing"},
        Sad{"activation", [](json& c) { c["hidden_act"] = "gelu"; }, kUnsupported, "hidden_act: \"gelu\" is not known"},
        Sad{"window", [](json& c) { c["use_sliding_window"] = true; }, kUnsupported, "use_sliding_window: true"},
        Sad{"layer_types", [](json& c) { c["layer_types"] = {"sliding_attention"}; }, kUnsupported, "layer_types: "},
        Sad{"rope_type", [](json& c) { c["rope_scaling"]["rope_type"] = "yarn"; }, kUnsupported,
            "rope_scaling.rope_type: \"yarn\" is not known"},
        Sad{"rope_linear",
            [](json& c) {
              c["rope_scaling"] = {{"type", "linear"}, {"factor", 2}};
            },
            kUnsupported, "rope_scaling.rope_type: \"linear\""},
        Sad{"rope_nameless",
            [](json& c) {
              c["rope_scaling"] = {{"factor", 2}};
            },
            kBadField, "rope_scaling.rope_type: is missing"},
        Sad{"rope_factor", [](json& c) { c["rope_scaling"].erase("factor"); }, kBadField,
            "rope_scaling.factor: is missing"},
        Sad{"rope_order", [](json& c) { c["rope_scaling"]["high_freq_factor"] = 1; }, kBadField,
            "rope_scaling.high_freq_factor: 1 is not above low_freq_factor, 1"},
        Sad{"two_thetas",
            [](json& c) {
              c["rope_parameters"] = {{"rope_theta", 1.0}, {"rope_type", "default"}};
            },
            kBadField, "rope_theta: 500000, but rope_parameters.rope_theta is 1"},
        Sad{"rope_by_layer_type",
            [](json& c) {
              c["rope_parameters"] = {{"full_attention", json::object()}};
            },
            kBadField, "rope_"},
        Sad{"partial", [](json& c) { c["partial_rotary_factor"] = 0.5; }, kUnsupported, "partial_rotary_factor: 0.5"},
        Sad{"vocabulary", [](json& c) { c["vocab_size"] = 2'097'153; }, kBadField, "vocab_size: 2097153"},
        Sad{"hidden_missing", [](json& c) { c.erase("hidden_size"); }, kBadField, "hidden_size: is missing"},
        Sad{"hidden_null", [](json& c) { c["hidden_size"] = nullptr; }, kBadField, "hidden_size: is missing"},
        Sad{"hidden_zero", [](json& c) { c["hidden_size"] = 0; }, kBadField,
            "hidden_size: 0 is not a whole number from 1"},
        Sad{"hidden_huge", [](json& c) { c["hidden_size"] = 1ULL << 40U; }, kBadField,
            "hidden_size: 1099511627776 is not"},
        Sad{"hidden_text", [](json& c) { c["hidden_size"] = "4096"; }, kBadField, "hidden_size: \"4096\" is not"},
        Sad{"hidden_fraction", [](json& c) { c["hidden_size"] = 4096.0; }, kBadField, "hidden_size: 4096.0 is not"},
        Sad{"negative", [](json& c) { c["num_hidden_layers"] = -1; }, kBadField, "num_hidden_layers: -1 is not"},
        Sad{"kv_heads", [](json& c) { c["num_key_value_heads"] = 5; }, kBadField,
            "num_key_value_heads: 5 does not divide num_attention_heads, 32"},
        Sad{"heads", [](json& c) { c["num_attention_heads"] = 24; }, kBadField,
            "num_attention_heads: 24 does not divide hidden_size, 4096"},
        Sad{"odd_head", [](json& c) { c["head_dim"] = 127; }, kBadField, "head_dim: 127 is odd"},
        Sad{"tie", [](json& c) { c["tie_word_embeddings"] = "no"; }, kBadField,
            "tie_word_embeddings: \"no\" is not true"},
        Sad{"eos",
            [](json& c) {
              c["eos_token_id"] = {1, 128256};
            },
            kBadField, "eos_token_id: 128256 is not a token id below 128256"},
        Sad{"eos_text", [](json& c) { c["eos_token_id"] = "</s>"; }, kBadField,
            "eos_token_id: \"</s>\" is not a token id"},
        Sad{"method", [](json& c) { c["quantization_config"]["quant_method"] = "awq"; }, kUnsupported,
            "quantization_config.quant_method: \"awq\""},
        Sad{"format", [](json& c) { c["quantization_config"]["checkpoint_format"] = "marlin"; }, kUnsupported,
            "quantization_config.checkpoint_format: \"marlin\""},
        Sad{"marlin", [](json& c) { c["quantization_config"]["is_marlin_format"] = true; }, kUnsupported,
            "quantization_config.is_marlin_format"},
        Sad{"bits", [](json& c) { c["quantization_config"]["bits"] = 3; }, kUnsupported,
            "quantization_config.bits: 3 bits cannot be read; 4 and 8 can"},
        Sad{"no_bits", [](json& c) { c["quantization_config"].erase("bits"); }, kBadField,
            "quantization_config.bits: is missing"},
        Sad{"group_size", [](json& c) { c["quantization_config"]["group_size"] = 0; }, kBadField,
            "quantization_config.group_size: 0 is neither -1 nor"},
        Sad{"group_size_huge", [](json& c) { c["quantization_config"]["group_size"] = ~0ULL; }, kBadField,
            "quantization_config.group_size: 18446744073709551615 is neither"},
        Sad{"dynamic", [](json& c) { c["quantization_config"]["dynamic"] = {{"+:.*down.*", {{"bits", 8}}}}; },
            kUnsupported, "quantization_config.dynamic.+:.*down.*: settings for single modules"},
        Sad{"pack", [](json& c) { c["quantization_config"]["pack_dtype"] = "int16"; }, kUnsupported,
            "quantization_config.pack_dtype"},
        Sad{"a_list", [](json& c) { c = json::array(); }, kBadField, "a list is not an object"}),
    [](const auto& instance) { return std::string(instance.param.what); });

TEST(ModelConfig, RefusesHostileJson) {
  const auto message = [](std::string text) {
    const auto parsed =
        parse_model_config({.config = {"c", std::move(text)}, .generation_config = {}, .quantize_config = {}});
    return parsed.has_error() ? parsed.error().message() : "";
  };
  EXPECT_THAT(message(""), HasSubstr("c: parse error"));
  EXPECT_THAT(message(std::string(100000, '[')), HasSubstr("c: nested deeper than 32"));
  EXPECT_THAT(message(R"({"hidden_size":1,"hidden_size":2})"), HasSubstr("\"hidden_size\" is given twice"));
  EXPECT_THAT(message(R"({"x":NaN})"), HasSubstr("parse error"));
  EXPECT_THAT(message("{\"x\":\"\xFF\"}"), HasSubstr("invalid"));
  EXPECT_TRUE(parse_json("[0,0,0]", "c", {.depth = 1, .values = 4}).has_value());
  EXPECT_THAT(parse_json("[0,0,0]", "c", {.depth = 1, .values = 3}).error().message(),
              HasSubstr("c: more than 3 values"));
  const auto generation = parse(llama(), R"({"eos_token_id":{}})");
  EXPECT_THAT(generation.error().message(),
              HasSubstr("generation_config.json: eos_token_id: an object is not a token id"));
}

}  // namespace
}  // namespace refserver
