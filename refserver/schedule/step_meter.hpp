// Turns what schedulers did into what an EngineMeter counts. Reads schedulers, changes nothing.
#pragma once

#include <cstdint>
#include <vector>

#include "refserver/api/engine_meter.hpp"
#include "refserver/schedule/scheduler.hpp"

namespace refserver {

class StepMeter {
 public:
  /// When the device was called and when it came back.
  struct Call {
    TimePoint begin;
    TimePoint end;
  };

  /// `all` hears of every model, `own` of single ones; null and empty are fine. All must outlive this.
  StepMeter(std::vector<const Scheduler*> models, EngineMeter* all, std::vector<EngineMeter*> own);

  /// To be called after every call of the device: tells of the steps that it committed, and of sizes that changed.
  void look(Call call);
  /// An engine threw.
  void on_step_failed();

 private:
  struct Model {
    const Scheduler* scheduler = nullptr;
    EngineMeter* own = nullptr;
    std::uint64_t steps = 0;         ///< told so far
    std::uint32_t decode_steps = 0;  ///< since prompts were last computed
    std::size_t running = 0;         ///< told last; so the rest
    std::size_t waiting = 0;
    std::uint64_t held_tokens = 0;
  };

  template <class Tell>
  void tell(const Model& model, const Tell& how);
  void tell_step(Model& model, Call call);
  bool take_sizes(Model& model);

  std::vector<Model> models_;
  EngineMeter* all_;
};

}  // namespace refserver
