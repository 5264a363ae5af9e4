// Test support: one model's scheduler and a simulated engine on a device, run in virtual time until all is answered.
#pragma once

#include <algorithm>
#include <map>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "refserver/engine/make_engine.hpp"
#include "refserver/schedule/device.hpp"

namespace refserver {

struct VirtualServer {
  VirtualServer(SchedulerConfig config, MadeEngine made_engine)
      : made(std::move(made_engine)), scheduler(config, *made.vocabulary), device({{&scheduler, made.engine.get()}}) {}

  static SchedulerConfig roomy() {
    SchedulerConfig config;
    config.pool = {"m", 20'001, 16};
    config.max_batch_prefill_tokens = 8192;
    config.max_batch_size = 1024;
    config.has_prefix_cache = false;
    return config;
  }

  /// Requests are added when they are received; returns when nothing is left, with events by request.
  std::map<RequestId, std::vector<TokenEvent>> run(std::vector<RequestSpec> requests) {
    std::ranges::stable_sort(requests, {}, &RequestSpec::received);
    std::map<RequestId, std::vector<TokenEvent>> answers;
    std::size_t next = 0;
    std::optional<TimePoint> wakeup;
    while (next < requests.size() || wakeup) {
      if (next < requests.size() && (!wakeup || requests[next].received <= *wakeup)) wakeup = requests[next].received;
      now = std::max(now, *wakeup);
      for (; next < requests.size() && requests[next].received <= now; ++next) {
        refused += device.add(0, requests[next], now).has_value();
      }
      StepEvents events;
      wakeup = device.advance(now, events);
      for (TokenEvent& event : events.tokens) answers[event.request].push_back(std::move(event));
    }
    return answers;
  }

  MadeEngine made;
  Scheduler scheduler;
  Device device;
  TimePoint now{};
  std::size_t refused = 0;
};

inline RequestSpec request_of(RequestId id, TimePoint received, std::uint32_t new_tokens,
                              std::uint32_t prompt_tokens = 4) {
  RequestSpec spec;
  spec.id = id;
  spec.received = received;
  spec.prompt.assign(prompt_tokens, 7);
  spec.max_new_tokens = new_tokens;
  return spec;
}

}  // namespace refserver
