// The engine thread: takes work in, runs the device in real time, sends tokens out, sleeps until the next deadline.
#pragma once

#include <chrono>
#include <optional>
#include <thread>
#include <vector>

#include "refserver/queue/engine_board.hpp"
#include "refserver/queue/token_queue.hpp"
#include "refserver/queue/work_queue.hpp"
#include "refserver/schedule/device.hpp"
#include "refserver/schedule/step_meter.hpp"

namespace refserver {

/// All of these outlive the loop.
struct EngineLoopParts {
  std::vector<DeviceModel> models;  ///< in the order requests count them, at least one
  WorkQueue& work;
  TokenQueue& tokens;
  EngineBoard* board = nullptr;  ///< optional
  EngineMeter* meter = nullptr;  ///< of all models together; optional
  /// Of single models, null where there is none; empty, or one per model.
  std::vector<EngineMeter*> model_meters{};
};

class EngineLoop {
 public:
  /// Starts the thread. Throws std::invalid_argument if the models cannot share a device.
  explicit EngineLoop(EngineLoopParts parts);
  /// Closes the work queue and joins. Requests still active are dropped.
  ~EngineLoop();
  EngineLoop(const EngineLoop&) = delete;
  EngineLoop& operator=(const EngineLoop&) = delete;

 private:
  void run();
  void take_in(Work& work, TimePoint now);
  void refuse(RequestId id, Refusal refusal);
  void catch_up(TimePoint now);
  void advance(TimePoint now);
  void deliver();
  void post();

  const std::vector<DeviceModel> models_;
  WorkQueue& work_;
  TokenQueue& tokens_;
  EngineBoard* board_;
  Device device_;
  StepMeter meter_;
  std::optional<TimePoint> next_;  ///< when the device wants to be called again
  StepEvents events_;
  std::vector<ModelState> states_;
  std::thread thread_;
};

}  // namespace refserver
