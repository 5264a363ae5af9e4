// t(M) = max(weights / bandwidth, 2 M products / arithmetic) + KV / bandwidth + gap.
#include "refserver/plan/roofline.hpp"

#include <algorithm>

namespace refserver {

double decode_step_s(const Gpu& gpu, const RooflineModel& model, std::uint64_t batch, double kv_bytes_per_sequence) {
  const auto m = static_cast<double>(batch);
  const double read = static_cast<double>(model.step_bytes) / gpu.bytes_per_s();
  const double flops = gpu.fp16_tflops * gpu.decode_efficiency * 1e12;
  const double compute = 2 * m * static_cast<double>(model.step_products) / flops;
  return std::max(read, compute) + m * kv_bytes_per_sequence / gpu.bytes_per_s();
}

Roofline compute_roofline(const Gpu& gpu, const PlanRequest& request, std::uint64_t new_tokens) {
  Roofline roofline;
  roofline.new_tokens = new_tokens;
  roofline.prompt = request.context > new_tokens ? request.context - new_tokens : 0;
  // Half of the answer is behind a token on average.
  const double kv_tokens = static_cast<double>(roofline.prompt) + static_cast<double>(new_tokens) / 2;
  double prompts = 0;
  for (const PlannedModel& planned : request.models) {
    RooflineModel model;
    for (const WeightPart& part : weight_parts(planned.config, request.placement)) {
      if (part.is_read_each_step) model.step_bytes += part.on_gpu;
    }
    const std::uint64_t linears = linear_elements(planned.config);
    model.step_products = linears + head_elements(planned.config);
    const double kv = kv_tokens * static_cast<double>(kv_bytes_per_token(planned.config, request.kv));
    const double gap = gpu.step_gap_us * 1e-6;
    model.single_step_s = decode_step_s(gpu, model, 1, kv) + gap;
    model.batch_step_s = decode_step_s(gpu, model, std::max<std::uint64_t>(request.concurrency, 1), kv) + gap;
    model.prefill_token_s = 2 * static_cast<double>(linears) / (gpu.fp16_tflops * gpu.prefill_efficiency * 1e12);
    model.crossover = static_cast<double>(model.step_bytes) / gpu.bytes_per_s() * gpu.fp16_tflops *
                      gpu.decode_efficiency * 1e12 / (2 * static_cast<double>(model.step_products));
    roofline.round_s += model.batch_step_s;
    prompts += static_cast<double>(request.concurrency * roofline.prompt) * model.prefill_token_s;
    roofline.models.push_back(model);
  }
  roofline.last_s = prompts + static_cast<double>(new_tokens) * roofline.round_s;
  return roofline;
}

}  // namespace refserver
