// The canonical text of a plan, hashed.
#include "loadgen/export/plan_hash.hpp"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "exporters/metrics/hdr_histogram.hpp"
#include "loadgen/export/scenario_json.hpp"
#include "loadgen/export/sha256.hpp"
#include "loadgen/export/summary_json.hpp"
#include "loadgen/plan/length_draw.hpp"
#include "loadgen/plan/made_prompts.hpp"

namespace loadgen {
namespace {

void add_bins(Sha256& hash, const LengthDraw& draw) {
  for (const LengthDraw::Bin& bin : draw.bins) hash.add(fmt::format("{}:{:a};", bin.tokens, bin.cumulative));
}

}  // namespace

std::string plan_hash(const Scenario& scenario, std::uint32_t shards, std::optional<std::int64_t> start_at_ns) {
  nlohmann::ordered_json document = scenario_document(scenario);
  document.erase("source");
  document.erase("source_addresses");                            // each machine has its own
  for (auto& entry : document["mix"]) entry.erase("tokenizer");  // where a machine keeps it; its words count, below
  document["shards"] = shards;
  document["start_at_ns"] = start_at_ns ? nlohmann::ordered_json(*start_at_ns) : nlohmann::ordered_json(nullptr);
  const exporters::HdrConfig shape;
  document["histograms"] = {shape.lowest, shape.highest, shape.digits};
  document["version"] = PLUMBLINE_VERSION;
  for (const Gate& gate : scenario.gates) document["gates"].push_back(gate.text);
  Sha256 hash;
  hash.add(render_json_line(document));
  for (const MixEntry& entry : scenario.mix) {
    if (entry.parameters.drawn_tokens) add_bins(hash, *entry.parameters.drawn_tokens);
    if (entry.made) {
      constexpr std::uint32_t as_many_as_show_the_words = 4096;
      std::string words;
      entry.made->words->append(scenario.seed, 0, as_many_as_show_the_words, words);
      hash.add(words);
      add_bins(hash, entry.made->tokens);
    }
    for (const std::string& prompt : entry.prompts) {
      hash.add(std::to_string(prompt.size()) + ":");  // so that no two lists of prompts run into the same text
      hash.add(prompt);
    }
  }
  return hash.finish();
}

}  // namespace loadgen
