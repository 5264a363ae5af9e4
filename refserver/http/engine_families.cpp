// One table of what is counted; the rest is labels.
#include "refserver/http/engine_families.hpp"

#include <fmt/format.h>

#include <array>
#include <chrono>

#include "refserver/api/json_writer.hpp"

namespace refserver {
namespace {

using exporters::Counter;
using exporters::Gauge;
using exporters::MetricFamily;

struct Counted {
  const char* name;
  const char* help;
  std::uint64_t ModelState::*value;
};

constexpr std::array kGauges = {
    Counted{"refserver_requests_running", "Requests that hold KV blocks.", &ModelState::running},
    Counted{"refserver_requests_waiting", "Requests that wait for a place.", &ModelState::waiting},
};

constexpr std::array kCounters = {
    Counted{"refserver_steps_total", "Steps of the scheduler.", &ModelState::steps},
    Counted{"refserver_step_tokens_total", "Tokens computed: prompts, output, recomputed, drafts.",
            &ModelState::step_tokens},
    Counted{"refserver_prompt_tokens_total", "Prompt tokens of requests let in.", &ModelState::prompt_tokens},
    Counted{"refserver_generated_tokens_total", "Tokens given to clients.", &ModelState::generated_tokens},
    Counted{"refserver_prefix_cache_queried_tokens_total", "Tokens looked up in the prefix cache.",
            &ModelState::queried_tokens},
    Counted{"refserver_prefix_cache_hit_tokens_total", "Tokens found in the prefix cache.", &ModelState::cached_tokens},
    Counted{"refserver_preemptions_total", "Times a request lost its blocks to another.", &ModelState::preemptions},
    Counted{"refserver_recomputed_tokens_total", "Tokens computed again after a preemption.",
            &ModelState::recomputed_tokens},
    Counted{"refserver_kv_evictions_total", "Cached blocks given away.", &ModelState::evictions},
    Counted{"refserver_drafted_tokens_total", "Tokens speculated.", &ModelState::drafted_tokens},
    Counted{"refserver_accepted_drafts_total", "Speculated tokens that became output.", &ModelState::accepted_drafts},
    Counted{"refserver_scheduler_refused_total", "Requests the scheduler did not queue.", &ModelState::refused},
    Counted{"refserver_scheduler_cancelled_total", "Requests cancelled while queued or running.",
            &ModelState::cancelled},
    Counted{"refserver_scheduler_timed_out_total", "Requests that waited for too long.", &ModelState::timed_out},
    Counted{"refserver_scheduler_failed_total", "Requests that the engine failed.", &ModelState::failed},
    Counted{"refserver_model_switches_total", "Steps before which another model had the device.",
            &ModelState::switches},
};

double share(std::uint64_t part, std::uint64_t whole) {
  return whole == 0 ? 0 : static_cast<double>(part) / static_cast<double>(whole);
}

std::uint64_t empty_blocks(const KvState& kv) {
  return kv.blocks - kv.used - kv.cached;
}

/// Adds samples of one model; every model adds to the same families in the same order.
class Families {
 public:
  void begin(std::string_view model) {
    model_ = model;
    at_ = 0;
  }
  template <class Kind>
  void add(const char* name, const char* help, double value, const char* state = nullptr) {
    if (at_ == families_.size()) families_.push_back({name, help, {}});
    exporters::Labels labels{{"model", model_}};
    if (state != nullptr) labels.push_back({"state", state});
    families_[at_].samples.push_back({std::move(labels), Kind{value}});
  }
  void end_family() { ++at_; }
  std::vector<MetricFamily> take() { return std::move(families_); }

 private:
  std::vector<MetricFamily> families_;
  std::string model_;
  std::size_t at_ = 0;
};

void add_model(const ModelState& state, Families& out) {
  for (const Counted& gauge : kGauges) {
    out.add<Gauge>(gauge.name, gauge.help, static_cast<double>(state.*gauge.value));
    out.end_family();
  }
  constexpr const char* kBlocks = "refserver_kv_blocks";
  constexpr const char* kBlocksHelp = "Blocks of KV cache: held by requests, free with cached content, empty.";
  out.add<Gauge>(kBlocks, kBlocksHelp, state.kv.used, "used");
  out.add<Gauge>(kBlocks, kBlocksHelp, state.kv.cached, "cached");
  out.add<Gauge>(kBlocks, kBlocksHelp, static_cast<double>(empty_blocks(state.kv)), "empty");
  out.end_family();
  out.add<Gauge>("refserver_kv_usage_ratio", "Share of the KV blocks held by requests.",
                 share(state.kv.used, state.kv.blocks));
  out.end_family();
  out.add<Gauge>("refserver_kv_utilisation_ratio", "Share of the slots of held blocks that hold a token.",
                 share(state.kv.written_slots, std::uint64_t{state.kv.used} * state.kv.block_size));
  out.end_family();
  for (const Counted& counter : kCounters) {
    out.add<Counter>(counter.name, counter.help, static_cast<double>(state.*counter.value));
    out.end_family();
  }
  out.add<Counter>("refserver_device_seconds_total", "Time a model had of the device.",
                   std::chrono::duration<double>(state.busy).count());
  out.end_family();
}

}  // namespace

std::vector<MetricFamily> make_engine_families(std::span<const ModelInfo> models, std::span<const ModelState> states,
                                               std::optional<std::size_t> only_model) {
  Families families;
  for (std::size_t i = 0; i < states.size(); ++i) {
    if (only_model && *only_model != i) continue;
    families.begin(models[i].name);
    add_model(states[i], families);
  }
  return families.take();
}

void append_model_state(std::string_view name, const ModelState& state, std::string& out) {
  if (!out.empty()) out += ',';
  out += R"({"name":)";
  append_json_string(name, out);
  out += fmt::format(
      R"(,"running":{},"waiting":{},"kv_blocks":{},"kv_blocks_used":{},"kv_blocks_cached":{},"kv_block_size":{},)"
      R"("steps":{},"generated_tokens":{},"cached_tokens":{},"queried_tokens":{},"preemptions":{},)"
      R"("recomputed_tokens":{},"evictions":{},"refused":{},"cancelled":{},"timed_out":{},"failed":{},)"
      R"("device_ms":{},"switches":{}}})",
      state.running, state.waiting, state.kv.blocks, state.kv.used, state.kv.cached, state.kv.block_size, state.steps,
      state.generated_tokens, state.cached_tokens, state.queried_tokens, state.preemptions, state.recomputed_tokens,
      state.evictions, state.refused, state.cancelled, state.timed_out, state.failed,
      std::chrono::duration_cast<std::chrono::milliseconds>(state.busy).count(), state.switches);
}

}  // namespace refserver
