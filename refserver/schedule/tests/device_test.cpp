// Two models on one device: shares, switches, the cap on steps that others would notice, and memory that never mixes.
#include "refserver/schedule/device.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <memory>
#include <stdexcept>

#include "refserver/schedule/kv_partition.hpp"
#include "refserver/schedule/tests/trace_gen.hpp"

namespace refserver {
namespace {

using std::chrono::microseconds;

/// Two schedulers with fake engines; the traces' requests get the ids 1, 3, 5, ... and 2, 4, 6, ...
struct TwoModels {
  explicit TwoModels(const Trace& first, const Trace& second, double first_weight = 1, double second_weight = 1)
      : traces{first, second} {
    for (std::size_t i = 0; i < 2; ++i) {
      schedulers[i] = std::make_unique<Scheduler>(traces[i].config, vocabulary);
      engines[i] = std::make_unique<FakeEngine>(traces[i].config.pool, traces[i].engine);
      for (std::size_t n = 0; n < traces[i].arrivals.size(); ++n) commands.push_back({i, 2 * n + 1 + i, n});
    }
    device = std::make_unique<Device>(std::vector<DeviceModel>{{schedulers[0].get(), engines[0].get(), first_weight},
                                                               {schedulers[1].get(), engines[1].get(), second_weight}});
    std::ranges::stable_sort(commands, {}, [this](const Command& c) { return arrival(c).at_us; });
  }

  struct Command {
    std::size_t model = 0;
    RequestId id = 0;
    std::size_t index = 0;
  };
  const Arrival& arrival(const Command& command) const { return traces[command.model].arrivals[command.index]; }

  /// Until nothing is left to do or `until` is reached; `look` sees the device after every call.
  template <class Look>
  bool run(TimePoint until, const Look& look) {
    TimePoint now{};
    std::size_t next_command = 0;
    for (std::size_t calls = 0; calls < 1'000'000 && now < until; ++calls) {
      for (; next_command < commands.size() && TimePoint(microseconds(arrival(commands[next_command]).at_us)) <= now;
           ++next_command) {
        const Command& c = commands[next_command];
        if (!device->add(c.model, spec_of(arrival(c), c.id), now)) ++accepted;
      }
      StepEvents events;
      const auto wakeup = device->advance(now, events);
      for (const TokenEvent& event : events.tokens) answers[event.request].push_back(event.token.id);
      for (const TokenEvent& event : events.tokens) finished += event.finish.has_value();
      look(*this);
      const bool has_more = next_command < commands.size();
      if (!wakeup && !has_more) return true;
      TimePoint next = wakeup.value_or(TimePoint::max());
      if (has_more) next = std::min(next, TimePoint(microseconds(arrival(commands[next_command]).at_us)));
      now = std::max(now, next);
    }
    return false;
  }

  Trace traces[2];
  TestVocabulary vocabulary;
  std::unique_ptr<Scheduler> schedulers[2];
  std::unique_ptr<FakeEngine> engines[2];
  std::unique_ptr<Device> device;
  std::vector<Command> commands;
  std::map<RequestId, std::vector<TokenId>> answers;
  std::size_t accepted = 0;
  std::size_t finished = 0;
};

Trace busy_trace(std::chrono::nanoseconds step_cost) {
  Trace trace;
  trace.config.pool = {"m", 2000, 16};
  trace.config.max_batch_size = 8;
  trace.engine.step_cost = step_cost;
  for (std::uint32_t i = 0; i < 40; ++i) {
    trace.arrivals.push_back({.own_tokens = 1 + i % 7, .max_new_tokens = 500, .ignores_eos = true});
  }
  return trace;
}

RC_GTEST_PROP(Invariants, Invariant26_no_memory_belongs_to_two_models, ()) {
  const Trace traces[2] = {arbitrary_trace({.has_cancels = false}), arbitrary_trace({.has_cancels = false})};
  const auto block_bytes =
      *rc::gen::pair(rc::gen::inRange<std::uint64_t>(1, 5000), rc::gen::inRange<std::uint64_t>(1, 5000));
  const std::uint64_t bytes_of[2] = {block_bytes.first, block_bytes.second};
  std::vector<KvDemand> demands;
  std::uint64_t bytes = *rc::gen::inRange<std::uint64_t>(0, 100'000);
  for (std::size_t i = 0; i < 2; ++i) {
    demands.push_back({bytes_of[i], static_cast<double>(*rc::gen::inRange(1, 5)), traces[i].config.pool.blocks});
    bytes += bytes_of[i] * traces[i].config.pool.blocks;
  }
  const auto shares = partition_kv(bytes, demands);
  RC_ASSERT(shares.has_value());
  const std::uint64_t second_end = (*shares)[1].first_byte + (*shares)[1].blocks * bytes_of[1];
  RC_ASSERT((*shares)[0].first_byte + (*shares)[0].blocks * bytes_of[0] <= (*shares)[1].first_byte);
  RC_ASSERT(second_end <= bytes);
  RC_ASSERT((*shares)[0].blocks >= demands[0].minimum_blocks);
  RC_ASSERT((*shares)[1].blocks >= demands[1].minimum_blocks);
  // Both run with the blocks they were given; whatever they hold stays inside their own bytes.
  TwoModels two(traces[0], traces[1]);
  const bool has_ended = two.run(TimePoint::max(), [&](TwoModels& t) {
    for (std::size_t i = 0; i < 2; ++i) {
      for (const Sequence* const sequence : t.schedulers[i]->running_members()) {
        for (const BlockId id : sequence->table) RC_ASSERT(id < (*shares)[i].blocks);
      }
    }
  });
  RC_ASSERT(has_ended);
  RC_ASSERT(two.finished == two.accepted);
  for (std::size_t i = 0; i < 2; ++i) {
    RC_ASSERT(two.engines[i]->fault().empty());
    RC_ASSERT(two.schedulers[i]->pool().used_blocks() == 0U);
    RC_ASSERT(two.engines[i]->known_sequences() == 0U);
  }
  for (const TwoModels::Command& c : two.commands) {
    if (!two.answers.contains(c.id)) continue;
    RC_ASSERT(two.answers[c.id] == answer_alone(two.arrival(c), c.id, two.traces[c.model].config));
  }
}

RC_GTEST_PROP(Invariants, Invariant27_backlogged_models_stay_within_one_longest_step, ()) {
  const auto costs = *rc::gen::pair(rc::gen::inRange(1, 20'000), rc::gen::inRange(1, 20'000));
  const auto weights = *rc::gen::pair(rc::gen::inRange(1, 8), rc::gen::inRange(1, 8));
  TwoModels two(busy_trace(microseconds(costs.first)), busy_trace(microseconds(costs.second)), weights.first,
                weights.second);
  // Longest steps: the first ones, with all prompts.
  const auto longest_s = [](int cost_us) { return (cost_us + 8 * 7 * 100) * 1e-6; };
  const double bound = std::max(longest_s(costs.first) / weights.first, longest_s(costs.second) / weights.second);
  two.run(TimePoint(std::chrono::milliseconds(400)), [bound](TwoModels& t) {
    if (t.schedulers[0]->in_flight() == 0 || t.schedulers[1]->in_flight() == 0) return;  // one of them is done
    RC_ASSERT(std::abs(t.device->virtual_time(0) - t.device->virtual_time(1)) <= bound * (1 + 1e-9));
  });
  RC_ASSERT(two.device->use(0).steps > 0U);
  RC_ASSERT(two.device->use(1).steps > 0U);
}

TEST(Device, DividesTimeByWeight) {
  TwoModels two(busy_trace(std::chrono::milliseconds(3)), busy_trace(std::chrono::milliseconds(1)), 3, 1);
  two.run(TimePoint(std::chrono::seconds(4)), [](TwoModels&) {});
  const double first = std::chrono::duration<double>(two.device->use(0).busy).count();
  const double second = std::chrono::duration<double>(two.device->use(1).busy).count();
  EXPECT_NEAR(first / second, 3.0, 0.02);
  EXPECT_NEAR(first + second, 4.0, 0.02);  // it never idles
  EXPECT_GT(two.device->use(0).switches, 100U);
}

TEST(Device, OwesNothingToWhoWasIdle) {
  Trace late = busy_trace(std::chrono::milliseconds(1));
  for (Arrival& arrival : late.arrivals) arrival.at_us = 2'000'000;
  TwoModels two(busy_trace(std::chrono::milliseconds(1)), late);
  std::chrono::nanoseconds before{0};
  two.run(TimePoint(std::chrono::seconds(3)), [&before](TwoModels& t) {
    if (t.schedulers[1]->in_flight() == 0) before = t.device->use(0).busy;
  });
  const double first = std::chrono::duration<double>(two.device->use(0).busy - before).count();
  const double second = std::chrono::duration<double>(two.device->use(1).busy).count();
  EXPECT_NEAR(first / second, 1.0, 0.05);
}

TEST(Device, KeepsStepsShortWhileAnotherModelDecodes) {
  Trace prompts = busy_trace(std::chrono::milliseconds(1));
  prompts.config.max_batch_prefill_tokens = 4000;
  prompts.arrivals = {{.at_us = 50'000, .own_tokens = 3500, .max_new_tokens = 2}};
  Trace streams = busy_trace(std::chrono::milliseconds(1));
  TwoModels two(streams, prompts);
  std::uint32_t longest = 0;
  two.run(TimePoint(std::chrono::seconds(1)),
          [&longest](TwoModels& t) { longest = std::max(longest, t.schedulers[1]->last_step().tokens); });
  EXPECT_EQ(longest, 1024U);
  TwoModels alone(Trace{.config = streams.config, .arrivals = {}}, prompts);
  alone.run(TimePoint(std::chrono::seconds(1)),
            [&longest](TwoModels& t) { longest = std::max(longest, t.schedulers[1]->last_step().tokens); });
  EXPECT_EQ(longest, 3500U);
}

TEST(Device, RefusesWhatCannotWork) {
  EXPECT_THROW(Device({}), std::invalid_argument);
  EXPECT_THROW(Device({DeviceModel{nullptr, nullptr, 0}}), std::invalid_argument);
}

TEST(KvPartition, GivesMinimumsFirstAndTheRestByWeight) {
  const auto shares = partition_kv(1000, {{10, 1, 20}, {10, 3, 20}});
  ASSERT_TRUE(shares.has_value());
  EXPECT_EQ((*shares)[0].blocks, 35U);
  EXPECT_EQ((*shares)[1].blocks, 65U);
  EXPECT_EQ((*shares)[1].first_byte, 350U);
}

TEST(KvPartition, NamesTheNumbersThatDoNotFit) {
  EXPECT_EQ(partition_kv(100, {{10, 1, 6}, {10, 1, 5}}).error(),
            "5 blocks of 10 bytes do not fit what is left of 100 bytes of KV memory: 40");
  EXPECT_FALSE(partition_kv(100, {{0, 1, 6}}).has_value());
  EXPECT_FALSE(partition_kv(100, {{1, 0, 6}}).has_value());
}

}  // namespace
}  // namespace refserver
