// One device shared by several models: whose step runs next. A pure state machine like the schedulers it drives; the
// engines do the waiting, or say when a simulated step ends.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "refserver/schedule/scheduler.hpp"
#include "refserver/schedule/step_engine.hpp"

namespace refserver {

/// Both must outlive the device and be used by nobody else.
struct DeviceModel {
  Scheduler* scheduler = nullptr;
  StepEngine* engine = nullptr;
  double weight = 1;  ///< of two busy models, one of weight 2 gets twice the time
  /// Most tokens of a step while another model has requests past their prompt, whose clients would notice; 0: as many
  /// as ever.
  std::uint32_t shared_step_tokens = 1024;
  bool is_simulated = false;  ///< the engine returns at once, whenever its step ends
};

struct ModelUse {
  std::chrono::nanoseconds busy{0};
  std::uint64_t steps = 0;
  std::uint64_t tokens = 0;
  std::uint64_t switches = 0;  ///< steps before which another model had the device
};

class Device {
 public:
  /// Throws std::invalid_argument if there is no model or a weight is not above 0.
  explicit Device(const std::vector<DeviceModel>& models);

  std::optional<Refusal> add(std::size_t model, RequestSpec spec, TimePoint now);
  bool cancel(std::size_t model, RequestId id) { return models_.at(model).of.scheduler->cancel(id); }

  /// Commits the step under way if it is over at `now`; with none under way starts one. Appends what happened, of all
  /// models. Returns when to call again: a past time means at once, nothing means not before something is added.
  std::optional<TimePoint> advance(TimePoint now, StepEvents& out);
  /// The engine threw in `advance`: whatever it held is lost. Ends its step; every request of that model that holds
  /// blocks fails. False, with nothing done, if no step is under way.
  bool fail_running(StepEvents& out);

  /// Whether a step has been started and not committed.
  bool is_busy() const { return running_ != kNone; }
  /// Whether that step runs in simulated time.
  bool is_simulating() const { return is_busy() && models_[running_].of.is_simulated; }
  std::size_t models() const { return models_.size(); }
  const ModelUse& use(std::size_t model) const { return models_.at(model).use; }
  /// Time had, divided by weight, as the choice sees it; seconds.
  double virtual_time(std::size_t model) const { return models_.at(model).virtual_time; }

 private:
  static constexpr std::size_t kNone = ~std::size_t{0};

  struct Model {
    DeviceModel of;
    ModelUse use{};
    double virtual_time = 0;
    bool is_active = false;  ///< had work when it was last looked at
  };

  void activate(TimePoint now);
  std::size_t choose() const;
  bool start(std::size_t index, TimePoint now, StepEvents& out);
  void finish(StepEvents& out);
  std::uint32_t most_tokens(std::size_t index) const;
  void release(Model& model, std::size_t from, const StepEvents& out);
  std::optional<TimePoint> next_wakeup() const;

  std::vector<Model> models_;
  std::size_t running_ = kNone;
  std::size_t last_ = kNone;  ///< whose step was the latest
  double floor_ = 0;          ///< virtual time at which the latest step started
  TimePoint start_;
  StepResult result_;
};

}  // namespace refserver
