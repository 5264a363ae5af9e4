// Opens a folder as the engine would, without an engine; and writes single layers as plain numbers for other programs.
#include "refserver/inspect_command.hpp"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "refserver/checkpoint/checkpoint.hpp"

namespace refserver {
namespace {

using OrderedJson = nlohmann::ordered_json;

std::vector<const Linear*> all_linears(const Checkpoint& checkpoint) {
  std::vector<const Linear*> linears;
  for (const LayerWeights& layer : checkpoint.layers()) {
    for (const Linear* const linear : {&layer.q, &layer.k, &layer.v, &layer.o, &layer.gate, &layer.up, &layer.down}) {
      linears.push_back(linear);
    }
  }
  linears.push_back(&checkpoint.lm_head());
  return linears;
}

/// What holds of the quantised layers, counted; null when there are none.
OrderedJson quantized_json(const Checkpoint& checkpoint) {
  std::size_t count = 0, symmetric = 0, in_order = 0;
  const QuantizedWeight* first = nullptr;
  for (const Linear* const linear : all_linears(checkpoint)) {
    const QuantizedWeight* const weight = linear->quantized();
    if (weight == nullptr) continue;
    if (first == nullptr) first = weight;
    ++count;
    symmetric += weight->is_symmetric ? 1 : 0;
    in_order += weight->groups_in_order ? 1 : 0;
  }
  if (first == nullptr) return nullptr;
  return {{"layers", count},
          {"bits", first->matrix.bits()},
          {"group_size", first->matrix.group_size()},
          {"symmetric", symmetric},
          {"groups_in_order", in_order}};
}

OrderedJson rope_json(const RopeConfig& rope) {
  OrderedJson json{{"theta", rope.theta}};
  if (rope.llama3) {
    json["llama3"] = {{"factor", rope.llama3->factor},
                      {"low_freq_factor", rope.llama3->low_freq_factor},
                      {"high_freq_factor", rope.llama3->high_freq_factor},
                      {"original_max_positions", rope.llama3->original_max_positions}};
  }
  return json;
}

OrderedJson findings(const Checkpoint& checkpoint) {
  const ModelConfig& config = checkpoint.config();
  std::size_t biases = 0;
  for (const Linear* const linear : all_linears(checkpoint)) biases += linear->bias ? 1 : 0;
  OrderedJson json;
  json["architecture"] = name_of(config.architecture);
  json["layers"] = config.layers;
  json["hidden_size"] = config.hidden_size;
  json["intermediate_size"] = config.intermediate_size;
  json["heads"] = config.heads;
  json["kv_heads"] = config.kv_heads;
  json["head_dim"] = config.head_dim;
  json["vocab_size"] = config.vocab_size;
  json["max_positions"] = config.max_positions;
  json["rms_norm_eps"] = config.rms_norm_eps;
  json["rope"] = rope_json(config.rope);
  json["tied_head"] = config.tie_word_embeddings;
  json["embedding_dtype"] = name_of(checkpoint.embedding().dtype);
  json["quantized"] = quantized_json(checkpoint);
  json["biases"] = biases;
  json["bos_token_id"] = config.bos_token_id ? OrderedJson(*config.bos_token_id) : OrderedJson();
  json["stop_token_ids"] = config.stop_token_ids;
  json["safetensors_files"] = checkpoint.file_count();
  json["tensor_bytes"] = checkpoint.stored_bytes();
  json["warnings"] = checkpoint.warnings();
  return json;
}

void print_lines(const OrderedJson& json) {
  for (const auto& [key, value] : json.items()) {
    if (key == "warnings") continue;
    fmt::print("{:18} {}\n", key, value.is_string() ? value.get<std::string>() : value.dump());
  }
  for (const auto& warning : json["warnings"]) fmt::print("warning: {}\n", warning.get<std::string>());
}

/// The layer's weights as float32 [in][out], little-endian.
ExitCode write_layer(const Checkpoint& checkpoint, const std::string& name, const std::string& path) {
  for (const Linear* const linear : all_linears(checkpoint)) {
    if (linear->name != name) continue;
    std::ofstream file(path, std::ios::binary);
    std::vector<float> row(linear->out);
    for (std::size_t k = 0; k < linear->in; ++k) {
      for (std::size_t n = 0; n < linear->out; ++n) row[n] = linear->at(k, n);
      const auto bytes = static_cast<std::streamsize>(row.size() * sizeof(float));
      file.write(reinterpret_cast<const char*>(row.data()), bytes);
    }
    file.flush();
    if (file) return ExitCode::ok;
    fmt::print(stderr, "refserver: {}: cannot be written\n", path);
    return ExitCode::error;
  }
  fmt::print(stderr, "refserver: there is no layer {}, such as model.layers.0.mlp.down_proj or lm_head\n", name);
  return ExitCode::bad_usage;
}

constexpr const char* kFooter = R"(
Example:
  refserver inspect models/Qwen2-7B-Instruct-GPTQ-Int4
  refserver inspect models/tiny --layer model.layers.0.mlp.down_proj --float32 down.bin

Exit codes: 0 the folder can be loaded, 1 a file could not be written, 64 bad usage, 65 the folder cannot be loaded.)";

}  // namespace

ExitCode run_inspect(int argc, const char* const* argv) {
  CLI::App app("Check a model folder: config, every tensor's type and shape, groups, zero points.",
               "refserver inspect");
  app.footer(kFooter);
  std::string folder, layer, out;
  bool as_json = false;
  app.add_option("folder", folder, "as downloaded")->required()->type_name("DIR");
  app.add_flag("--json", as_json, "one JSON object instead of lines");
  CLI::Option* const name = app.add_option("--layer", layer, "also write this layer's weights")->type_name("NAME");
  app.add_option("--float32", out, "as float32 [inputs][outputs] to this file")->type_name("FILE")->needs(name);
  try {
    app.parse(argc, argv);
    if (!layer.empty() && out.empty()) throw CLI::RequiresError("--layer", "--float32");
  } catch (const CLI::ParseError& e) {
    return app.exit(e) == 0 ? ExitCode::ok : ExitCode::bad_usage;
  }
  const auto checkpoint = Checkpoint::open(folder);
  if (checkpoint.has_error()) {
    fmt::print(stderr, "refserver: {}\n", checkpoint.error().message());
    return ExitCode::bad_data;
  }
  const OrderedJson json = findings(*checkpoint);
  if (as_json) {
    fmt::print("{}\n", json.dump(2, ' ', false, OrderedJson::error_handler_t::replace));
  } else {
    print_lines(json);
  }
  return layer.empty() ? ExitCode::ok : write_layer(*checkpoint, layer, out);
}

}  // namespace refserver
