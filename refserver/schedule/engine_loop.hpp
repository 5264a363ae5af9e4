// The engine thread: takes work in, steps the engine, sends tokens out, sleeps until the next deadline.
#pragma once

#include <atomic>
#include <cstddef>
#include <thread>

#include "refserver/queue/token_queue.hpp"
#include "refserver/queue/work_queue.hpp"
#include "refserver/schedule/engine.hpp"

namespace refserver {

class EngineLoop {
 public:
  /// Starts the thread. All three must outlive the loop.
  EngineLoop(Engine& engine, WorkQueue& work, TokenQueue& tokens);
  /// Closes the work queue and joins. Requests still active are dropped.
  ~EngineLoop();
  EngineLoop(const EngineLoop&) = delete;
  EngineLoop& operator=(const EngineLoop&) = delete;

 private:
  void run();

  Engine& engine_;
  WorkQueue& work_;
  TokenQueue& tokens_;
  std::thread thread_;
};

}  // namespace refserver
