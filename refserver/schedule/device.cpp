// Fair queueing by virtual time: whoever has had least for its weight goes next, and idling earns nothing.
#include "refserver/schedule/device.hpp"

#include <algorithm>
#include <cassert>
#include <cmath>
#include <limits>
#include <stdexcept>
#include <utility>

namespace refserver {

Device::Device(const std::vector<DeviceModel>& models) {
  if (models.empty()) throw std::invalid_argument("a device without models");
  for (const DeviceModel& model : models) {
    if (!(model.weight > 0)) throw std::invalid_argument("a model's weight is not above 0");
    models_.push_back({model});
  }
}

std::optional<Refusal> Device::add(std::size_t model, RequestSpec spec, TimePoint now) {
  Model& to = models_.at(model);
  const RequestId id = spec.id;
  // A second request of the same id must not reach the engine, which knows the first by it.
  if (to.of.scheduler->find(id) == nullptr) {
    if (const auto due = to.of.engine->admit(spec)) spec.not_before = due;
    const auto refusal = to.of.scheduler->add(std::move(spec), now);
    if (refusal) to.of.engine->release(id);
    return refusal;
  }
  return to.of.scheduler->add(std::move(spec), now);
}

std::optional<TimePoint> Device::advance(TimePoint now, StepEvents& out) {
  if (is_busy()) {
    if (result_.end > now) return result_.end;
    finish(out);
    return TimePoint::min();  // what the step gave is delivered before an engine that blocks runs the next one
  }
  activate(now);
  for (std::size_t next = choose(); next != kNone; next = choose()) {
    if (!start(next, now, out)) {
      models_[next].is_active = false;
      continue;
    }
    if (result_.end > now) return result_.end;
    finish(out);
    return TimePoint::min();  // one step per call, so that cancellations are seen between any two
  }
  return next_wakeup();
}

void Device::activate(TimePoint now) {
  for (Model& model : models_) {
    const auto wakeup = model.of.scheduler->next_wakeup();
    const bool has_work = wakeup && *wakeup <= now;
    if (has_work && !model.is_active) {
      // With nobody else active it starts where the device is, or it would be owed all the time it did not ask for.
      double least = std::numeric_limits<double>::infinity();
      for (const Model& other : models_) {
        if (other.is_active) least = std::min(least, other.virtual_time);
      }
      model.virtual_time = std::max(model.virtual_time, std::isinf(least) ? floor_ : least);
    }
    model.is_active = has_work;
  }
}

std::size_t Device::choose() const {
  std::size_t best = kNone;
  for (std::size_t n = 1; n <= models_.size(); ++n) {
    // Of equals, whoever comes after the latest: steps that take no time would otherwise all be one model's.
    const std::size_t i = last_ == kNone ? n - 1 : (last_ + n) % models_.size();
    if (models_[i].is_active && (best == kNone || models_[i].virtual_time < models_[best].virtual_time)) best = i;
  }
  return best;
}

bool Device::fail_running(StepEvents& out) {
  if (!is_busy()) return false;
  Model& model = models_[std::exchange(running_, kNone)];
  const std::size_t released = out.released.size();
  model.of.scheduler->fail_running(out);
  release(model, released, out);
  return true;
}

std::uint32_t Device::most_tokens(std::size_t index) const {
  const std::uint32_t shared = models_[index].of.shared_step_tokens;
  if (shared == 0) return std::numeric_limits<std::uint32_t>::max();
  for (std::size_t i = 0; i < models_.size(); ++i) {
    if (i != index && models_[i].of.scheduler->decoding() > 0) return shared;
  }
  return std::numeric_limits<std::uint32_t>::max();
}

/// Tells the engine of the sequences that ended since `from`.
void Device::release(Model& model, std::size_t from, const StepEvents& out) {
  for (std::size_t i = from; i < out.released.size(); ++i) model.of.engine->release(out.released[i]);
}

bool Device::start(std::size_t index, TimePoint now, StepEvents& out) {
  Model& model = models_[index];
  const std::size_t released = out.released.size();
  const StepPlan& plan = model.of.scheduler->plan(now, out, most_tokens(index));
  release(model, released, out);
  if (plan.rows.empty()) return false;
  if (last_ != kNone && last_ != index) ++model.use.switches;
  last_ = running_ = index;
  model.of.engine->run(plan, now, result_);
  assert(result_.end >= now && result_.rows.size() == plan.rows.size());
  model.use.tokens += plan.tokens;
  floor_ = model.virtual_time;
  start_ = now;
  return true;
}

void Device::finish(StepEvents& out) {
  Model& model = models_[std::exchange(running_, kNone)];
  const std::chrono::nanoseconds busy = result_.end - start_;
  model.use.busy += busy;
  ++model.use.steps;
  model.virtual_time += std::chrono::duration<double>(busy).count() / model.of.weight;
  const std::size_t released = out.released.size();
  model.of.scheduler->commit(result_, result_.end, out);
  release(model, released, out);
}

std::optional<TimePoint> Device::next_wakeup() const {
  std::optional<TimePoint> next;
  for (const Model& model : models_) {
    const auto wakeup = model.of.scheduler->next_wakeup();
    if (wakeup && (!next || *wakeup < *next)) next = wakeup;
  }
  return next;
}

}  // namespace refserver
