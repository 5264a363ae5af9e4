// Whole decode steps, launched one by one and replayed; logits are compared bit by bit. And the choice of tokens on the
// device against the host's.
#pragma once

#include <cstring>
#include <string_view>

#include "kernels/bench/model_shapes.hpp"
#include "kernels/cuda/gpu_check/meter.hpp"
#include "kernels/token_sampler.hpp"

namespace kernels::gpu_check {

class StepCheck {
 public:
  StepCheck(Meter& meter, const bench::ModelShape& model) : meter_(meter), model_(model) {}

  void run() {
    const std::string name = fmt::format("{} decode steps", model_.name);
    if (!meter_.has_time(name)) return;
    const auto on = meter_.backend({.precision = Precision::fast, .step_launch = StepLaunch::recorded});
    const std::size_t context = meter_.emulated() ? 20 : 512;
    bench::Model weights(*on, model_, 16, context, KvType::fp8);
    weights.fill_cache();
    meter_.report().add(fmt::format("{} loaded: memory in use (all programs)", model_.name), meter_.used_mib(), "MiB");
    std::vector<std::size_t> batches{1, 4, 8, 16};
    if (meter_.emulated()) batches = {1, 2};
    for (const std::size_t rows : batches) {
      const std::string step = fmt::format("{} decode step, {} sequences at {} tokens", model_.name, rows, context);
      if (!meter_.has_time(step)) continue;
      const std::vector<float> launched = plain_logits(weights, rows);
      meter_.both_ways([&](const char* suffix) {
        compare(weights, rows, launched, step + suffix, *suffix == '\0' ? 0 : 1);
        measure(step + ", launched" + suffix, rows, weights.bytes(), [&] { weights.step_plainly(rows); });
        measure(step + ", replayed" + suffix, rows, weights.bytes(),
                [&] { weights.step(rows, *suffix == '\0' ? 0 : 1); });
      });
    }
  }

  /// Settings of all kinds on a vocabulary of logits: the device's choice is the host's.
  void choices() {
    const std::string name = fmt::format("{} choice of 16 tokens", model_.name);
    if (!meter_.has_time(name)) return;
    constexpr std::size_t kRows = 16;
    const auto on = meter_.backend();
    const auto buffer = on->make_buffer(kRows * model_.vocabulary);
    const Rows rows = rows_of(*buffer, kRows, model_.vocabulary);
    auto logits = Meter::values(kRows * model_.vocabulary);
    for (float& logit : logits) logit *= 8;
    std::vector<SampleRow> wishes(kRows);
    std::vector<SampledId> results(kRows);
    TokenSampler sampler;
    const std::uint64_t rounds = meter_.emulated() ? 2 : 40;
    for (std::uint64_t round = 0; round < rounds; ++round) {
      for (std::size_t i = 0; i < kRows; ++i) wishes[i] = wish(i, round);
      on->write(rows, logits);
      on->sample(rows, model_.vocabulary, wishes, results);
      for (std::size_t i = 0; i < kRows; ++i) {
        const auto own = std::span(logits).subspan(i * model_.vocabulary, model_.vocabulary);
        const SampledId expected = sampler.sample(own, wishes[i]);
        if (results[i].id != expected.id || results[i].total != expected.total) {
          throw std::runtime_error(
              fmt::format("{}: row {} of round {} is {}, on the host {}", name, i, round, results[i].id, expected.id));
        }
      }
    }
    for (const auto& [what, first] : {std::pair{"draws", wish(0, 1)}, std::pair{"top_p and typical_p", wish(7, 1)}}) {
      std::ranges::fill(wishes, first);
      const double time = Meter::wall_seconds([&] { on->sample(rows, model_.vocabulary, wishes, results); },
                                              meter_.emulated() ? 1 : 50);
      meter_.report().add(fmt::format("{}, {}", name, what), time * 1e6, "us", "launch and answer included");
    }
  }

 private:
  static std::vector<float> plain_logits(bench::Model& weights, std::size_t rows) {
    weights.reset();
    weights.step_plainly(rows);
    const auto seen = weights.logits(rows);
    return {seen.begin(), seen.end()};
  }
  /// `key`: of what is recorded.
  static void compare(bench::Model& weights, std::size_t rows, const std::vector<float>& launched,
                      const std::string& name, std::uint64_t key) {
    for (const char* const how : {"launched", "first", "recorded", "replayed"}) {
      weights.reset();
      if (std::string_view(how) == "launched") {
        weights.step_plainly(rows);
      } else {
        weights.step(rows, key);
      }
      const auto logits = weights.logits(rows);
      if (std::memcmp(logits.data(), launched.data(), launched.size() * sizeof(float)) != 0) {
        throw std::runtime_error(fmt::format("{}: the {} step has not the bits of the launched one", name, how));
      }
    }
  }
  void measure(const std::string& name, std::size_t rows, std::size_t bytes, const std::function<void()>& step) {
    const double time = Meter::wall_seconds(step, meter_.emulated() ? 1 : 20);
    meter_.report().add(
        name, time * 1e3, "ms",
        fmt::format("{:.0f} tokens/s, {:.0f} GB/s of weights; {}", static_cast<double>(rows) / time,
                    static_cast<double>(bytes) / time / 1e9, rooflines(static_cast<double>(bytes), 1e3, "ms")));
  }
  static SampleRow wish(std::size_t kind, std::uint64_t round) {
    SampleRow row{.rule = kind == 8 ? ChoiceRule::greatest : ChoiceRule::draw, .seed = 11 + kind, .position = round};
    if ((kind & 1U) != 0) row.top_p = 0.9F;
    if ((kind & 2U) != 0) row.temperature = 0.7F;
    if ((kind & 4U) != 0) row.typical_p = 0.8F;
    if (kind > 8) row.top_k = 50;
    return row;
  }

  Meter& meter_;
  bench::ModelShape model_;
};

}  // namespace kernels::gpu_check
