// One row per part, one column per model, and a last column for what all share or add up to.
#include "refserver/plan/plan_text.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <vector>

namespace refserver {
namespace {

using OrderedJson = nlohmann::ordered_json;

std::string mib(std::uint64_t bytes) {
  return fmt::format("{:.1f}", static_cast<double>(bytes) / kMiB);
}

const char* name_of(KvForm form) {
  return form == KvForm::fp16 ? "fp16" : form == KvForm::fp8 ? "fp8" : "int8";
}

const char* name_of(HeadForm form) {
  return form == HeadForm::stored ? "stored" : form == HeadForm::int8 ? "int8" : "int4";
}

class Table {
 public:
  explicit Table(const PlanRequest& request) : models_(request.models.size()) {
    out_ = fmt::format("{:<24}", "MiB");
    for (const PlannedModel& model : request.models) out_ += fmt::format(" {:>20}", model.name.substr(0, 20));
    out_ += fmt::format(" {:>12}\n", "together");
  }
  void row(const std::string& name, const std::vector<std::uint64_t>& bytes) {
    std::uint64_t sum = 0;
    out_ += fmt::format("{:<24}", name);
    for (const std::uint64_t b : bytes) {
      out_ += fmt::format(" {:>20}", mib(b));
      sum += b;
    }
    out_ += fmt::format(" {:>12}\n", mib(sum));
  }
  void shared(const std::string& name, std::uint64_t bytes) {
    out_ += fmt::format("{:<24}{:>{}} {:>12}\n", name, "", 21 * models_, mib(bytes));
  }
  const std::string& text() const { return out_; }

 private:
  std::size_t models_;
  std::string out_;
};

std::string memory_table(const PlanRequest& request, const MemoryPlan& plan) {
  Table table(request);
  const auto column = [&plan](auto value) {
    std::vector<std::uint64_t> bytes;
    for (const ModelMemory& model : plan.models) bytes.push_back(value(model));
    return bytes;
  };
  for (std::size_t i = 0; i < plan.models.front().weights.size(); ++i) {
    // A part that is "weights" in one model may be "codes" in another: both are what the layers multiply by.
    table.row(plan.models.front().weights[i].name, column([i](const auto& m) { return m.weights[i].on_gpu; }));
  }
  table.row("= weights", column([](const auto& m) { return m.weight_bytes; }));
  table.row("keys and values", column([](const auto& m) { return m.kv_bytes; }));
  table.shared("activations", plan.activation_bytes);
  table.shared("logits", plan.logit_bytes);
  table.shared("partial sums", plan.scratch_bytes);
  table.shared("launch graphs", plan.graph_bytes);
  table.shared("context and kernels", plan.context_bytes);
  table.shared("headroom", plan.headroom_bytes);
  table.shared("= needed", plan.total_bytes);
  table.shared("of", plan.memory_bytes);
  return table.text();
}

std::string speed_text(const PlanRequest& request, const Roofline& roofline) {
  std::string out = "\nroofline, at best:\n";
  for (std::size_t i = 0; i < roofline.models.size(); ++i) {
    const RooflineModel& model = roofline.models[i];
    out += fmt::format(
        "  {}: {:.3f} GB read per step; alone {:.1f} tokens/s; {} at once {:.2f} ms per step, {:.0f} tokens/s in all; "
        "prompts {:.0f} tokens/s; arithmetic is the limit from {:.0f} tokens per step\n",
        request.models[i].name, static_cast<double>(model.step_bytes) / 1e9, 1 / model.single_step_s,
        request.concurrency, model.batch_step_s * 1e3, static_cast<double>(request.concurrency) / model.batch_step_s,
        1 / model.prefill_token_s, model.crossover);
  }
  if (roofline.models.size() > 1) {
    out += fmt::format("  all models in turn: {:.2f} ms between two tokens of a sequence\n", roofline.round_s * 1e3);
  }
  out += fmt::format(
      "  P99 of {} new tokens after a prompt of {}, all {} requests per model arriving together: {:.3f} s\n",
      roofline.new_tokens, roofline.prompt, request.concurrency, roofline.last_s);
  return out;
}

std::string assumptions(const Gpu& gpu, const PlanRequest& request) {
  std::string out = "\nassumed:\n";
  const auto line = [&out](const std::string& text) { out += "  " + text + "\n"; };
  line(
      fmt::format("{}: {} MiB; {} GB/s, of which {:.0f} % attained; {} TFLOP/s fp16, of which {:.0f} % in decode steps "
                  "and {:.0f} % in prompts; {} us between steps. {}",
                  gpu.name, gpu.memory_mib, gpu.bandwidth_gb_s, gpu.bandwidth_attained * 100, gpu.fp16_tflops,
                  gpu.decode_efficiency * 100, gpu.prefill_efficiency * 100, gpu.step_gap_us, gpu.notes));
  line(fmt::format("embeddings on the {}; lm_head {}; a tied head that is stored is the embedding, on the GPU",
                   request.placement.embedding == EmbeddingPlace::host ? "host, a row per token is copied" : "GPU",
                   name_of(request.placement.head)));
  line(
      "zero points are left out where sym is true; group order is left out without desc_act, else one 16-bit list per "
      "input (q, k and v share one, gate and up another); biases the architecture lacks are zero and left out");
  line(fmt::format("KV in {}, {} tokens per sequence in blocks of {}, {} sequences per model, none shared",
                   name_of(request.kv), request.context, request.block_tokens, request.concurrency));
  line(
      fmt::format("one model computes at a time; activations for {} prompt tokens and one token per sequence in fp16; "
                  "fp32 logits of every sequence; own matrix products: no library workspace",
                  request.prefill_chunk));
  line(fmt::format(
      "partial sums {} MiB, launch graphs {} MiB per model, context and kernels {} MiB: assumed, to be measured",
      kScratchBytes >> 20U, kGraphBytesPerModel >> 20U, gpu.context_mib));
  line(
      "speeds: a step reads every weight once and every token's KV, with half of the answer generated; models take "
      "turns; P99 is that of the last request of a burst, prompts first: queueing beyond that is not in it");
  return out;
}

}  // namespace

std::string plan_text(const Gpu& gpu, const PlanRequest& request, const MemoryPlan& plan, const Roofline& roofline) {
  std::string out = memory_table(request, plan);
  out += fmt::format("\n{}; the largest concurrency at {} tokens is {} per model\n",
                     plan.fits() ? "it fits" : "it does not fit", request.context, plan.largest_concurrency);
  return out + speed_text(request, roofline) + assumptions(gpu, request);
}

std::string plan_json(const Gpu& gpu, const PlanRequest& request, const MemoryPlan& plan, const Roofline& roofline) {
  OrderedJson json{{"gpu", gpu.name}, {"fits", plan.fits()}};
  for (std::size_t i = 0; i < plan.models.size(); ++i) {
    const ModelMemory& memory = plan.models[i];
    const RooflineModel& speed = roofline.models[i];
    OrderedJson model{{"name", request.models[i].name}};
    for (const WeightPart& part : memory.weights) {
      model["weights"][part.name] = {{"stored", part.stored}, {"on_gpu", part.on_gpu}};
    }
    model["stored_bytes"] = memory.stored_bytes;
    model["weight_bytes"] = memory.weight_bytes;
    model["kv_bytes"] = memory.kv_bytes;
    model["kv_bytes_per_token"] = memory.kv_bytes_per_token;
    model["step_bytes"] = speed.step_bytes;
    model["single_step_s"] = speed.single_step_s;
    model["batch_step_s"] = speed.batch_step_s;
    model["prefill_tokens_per_s"] = 1 / speed.prefill_token_s;
    model["crossover_tokens"] = speed.crossover;
    json["models"].push_back(std::move(model));
  }
  json["activation_bytes"] = plan.activation_bytes;
  json["logit_bytes"] = plan.logit_bytes;
  json["scratch_bytes"] = plan.scratch_bytes;
  json["graph_bytes"] = plan.graph_bytes;
  json["context_bytes"] = plan.context_bytes;
  json["headroom_bytes"] = plan.headroom_bytes;
  json["total_bytes"] = plan.total_bytes;
  json["memory_bytes"] = plan.memory_bytes;
  json["largest_concurrency"] = plan.largest_concurrency;
  json["round_s"] = roofline.round_s;
  json["p99_s"] = roofline.last_s;
  return json.dump(2, ' ', false, OrderedJson::error_handler_t::replace) + "\n";
}

std::string shortage_text(const PlanRequest& request, const MemoryPlan& plan) {
  std::uint64_t weights = 0, kv = 0;
  for (const ModelMemory& model : plan.models) {
    weights += model.weight_bytes;
    kv += model.kv_bytes;
  }
  const std::string most = plan.largest_concurrency == 0
                               ? std::string("not one sequence per model fits")
                               : fmt::format("{} per model would fit", plan.largest_concurrency);
  return fmt::format(
      "does not fit: {} MiB needed of {}, {} too many: weights {}, KV of {} sequences of {} tokens per model {}, "
      "everything else {}; {}",
      mib(plan.total_bytes), mib(plan.memory_bytes), mib(plan.total_bytes - plan.memory_bytes), mib(weights),
      request.concurrency, request.context, mib(kv), mib(plan.total_bytes - weights - kv), most);
}

}  // namespace refserver
