// What the engine side tells whoever shows metrics, in TGI's terms. Engines and schedulers call it; they know no metric
// by name.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>

namespace refserver {

/// Every call comes from the engine thread and must not block.
class EngineMeter {
 public:
  /// The two kinds of steps TGI knows. A step that mixes both counts as prefill where it read any prompt.
  enum class Method : std::uint8_t { prefill, decode };
  /// Why new work was merged into a running batch.
  enum class Concat : std::uint8_t { backpressure, wait_exceeded, chunking };

  struct StepTimes {
    std::chrono::nanoseconds total{0};    ///< the whole step
    std::chrono::nanoseconds forward{0};  ///< of it: the model
    std::chrono::nanoseconds decode{0};   ///< of it: from logits to text
    std::chrono::nanoseconds filter{0};   ///< of it: handing tokens out, dropping what ended
  };

  virtual ~EngineMeter() = default;
  /// Requests taken over and not yet given a place.
  virtual void set_waiting(std::size_t requests) noexcept = 0;
  /// Requests in the batch and the tokens reserved for them; 0, 0 when idle.
  virtual void set_batch(std::size_t requests, std::uint64_t reserved_tokens) noexcept = 0;
  /// A new batch began its prefill with this many requests.
  virtual void on_batch_formed(std::size_t requests) noexcept = 0;
  virtual void on_concat(Concat reason, std::chrono::nanoseconds took) noexcept = 0;
  virtual void on_step(Method method, const StepTimes& times) noexcept = 0;
  virtual void on_step_failed(Method method) noexcept = 0;
};

}  // namespace refserver
