// Compares what schedulers say with what was told before.
#include "refserver/schedule/step_meter.hpp"

#include <utility>

namespace refserver {

StepMeter::StepMeter(std::vector<const Scheduler*> models, EngineMeter* all, std::vector<EngineMeter*> own)
    : all_(all) {
  own.resize(models.size());
  for (std::size_t i = 0; i < models.size(); ++i) models_.push_back({models[i], own[i]});
}

template <class Tell>
void StepMeter::tell(const Model& model, const Tell& how) {
  if (all_ != nullptr) how(*all_);
  if (model.own != nullptr) how(*model.own);
}

void StepMeter::look(Call call) {
  bool has_changed = false;
  for (Model& model : models_) {
    if (model.scheduler->counters().steps != model.steps) tell_step(model, call);
    has_changed = take_sizes(model) || has_changed;
  }
  if (!has_changed || all_ == nullptr) return;
  std::size_t running = 0;
  std::size_t waiting = 0;
  std::uint64_t held_tokens = 0;
  for (const Model& model : models_) {
    running += model.running;
    waiting += model.waiting;
    held_tokens += model.held_tokens;
  }
  all_->set_batch(running, held_tokens);
  all_->set_waiting(waiting);
}

bool StepMeter::take_sizes(Model& model) {
  const Scheduler& scheduler = *model.scheduler;
  const std::uint64_t held = std::uint64_t{scheduler.pool().used_blocks()} * scheduler.pool().block_size();
  if (model.running == scheduler.running() && model.waiting == scheduler.waiting() && model.held_tokens == held) {
    return false;
  }
  model.running = scheduler.running();
  model.waiting = scheduler.waiting();
  model.held_tokens = held;
  if (model.own != nullptr) {
    model.own->set_batch(model.running, held);
    model.own->set_waiting(model.waiting);
  }
  return true;
}

void StepMeter::tell_step(Model& model, Call call) {
  const StepStats& step = model.scheduler->last_step();
  model.steps = model.scheduler->counters().steps;
  const bool is_prefill = step.prefill_tokens > 0;
  EngineMeter::StepTimes times;
  times.forward = step.end - step.start;
  // The rest of the call went into turning results into text. A real engine ran inside of it, a simulated one did not.
  times.decode = call.end - (step.end > call.begin && step.end < call.end ? step.end : call.begin);
  times.total = times.forward + times.decode;
  tell(model, [&](EngineMeter& meter) {
    meter.on_step(is_prefill ? EngineMeter::Method::prefill : EngineMeter::Method::decode, times);
  });
  if (step.admitted > 0) {
    const SchedulerConfig& config = model.scheduler->config();
    using Concat = EngineMeter::Concat;
    Concat reason = Concat::chunking;
    if (config.prefill == PrefillKind::separate) {
      reason = model.decode_steps >= config.max_waiting_tokens ? Concat::wait_exceeded : Concat::backpressure;
    }
    tell(model, [&](EngineMeter& meter) {
      meter.on_batch_formed(step.admitted);
      if (step.joined > 0) meter.on_concat(reason, times.decode);
    });
  }
  model.decode_steps = is_prefill ? 0 : model.decode_steps + 1;
}

void StepMeter::on_step_failed() {
  // The step never ended: nobody can tell what it would have been.
  if (all_ != nullptr) all_->on_step_failed(EngineMeter::Method::decode);
}

}  // namespace refserver
