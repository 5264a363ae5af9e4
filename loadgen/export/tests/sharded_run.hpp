// A run whose latencies are keyed by the request's number in the plan, recorded by as many processes and threads as a
// test wants: no sockets, no clock.
#pragma once

#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "loadgen/export/shard_file.hpp"
#include "loadgen/plan/plan.hpp"
#include "loadgen/record/recorder.hpp"
#include "loadgen/schedule/arrivals.hpp"
#include "loadgen/schedule/dealing.hpp"
#include "loadgen/summarize/tests/sample_run.hpp"

namespace loadgen::sample {

/// What the server does with request `index`: a function of its number alone.
inline RequestRecord scripted_request(const Plan& plan, std::uint64_t index, std::int64_t due_ns,
                                      const Window& window) {
  KeyedStream random(99, Draw::nonce, index);
  RequestRecord record;
  record.index = index;
  record.entry = plan.request(index).entry;
  record.streamed = true;
  record.token_source = TokenSource::server_usage;
  record.finish_reason = "length";
  record.input_tokens = static_cast<std::uint32_t>(10 + index % 7);
  record.requested_tokens = record.output_tokens = 5;
  record.phase = due_ns < window.begin_ns ? Phase::warmup : due_ns < window.end_ns ? Phase::measure : Phase::drain;
  record.outcome = index % 97 == 13 ? Outcome::timeout_ttft : Outcome::ok;
  Stamps& t = record.stamps;
  t.intended = t.dispatch = due_ns;
  t.send = due_ns + static_cast<std::int64_t>(20'000 * random.exponential());
  t.connected = t.dispatch;
  t.sent = t.headers = t.send + 1000;
  t.first_token = t.send + static_cast<std::int64_t>(50e6 * random.gamma(2));
  std::int64_t at = t.first_token;
  if (record.outcome == Outcome::ok) {
    for (int i = 0; i < 5; ++i) {
      record.events.push_back({at, 1});
      at += static_cast<std::int64_t>(10e6 * random.exponential());
    }
    t.last_token = record.events.back().at_ns;
  } else {
    t.first_token = 0;
    record.error = "no token in time";
  }
  t.end = std::max(at, t.send + 1);
  return record;
}

struct ShardedRun {
  Scenario scenario = open_loop(200);
  std::uint32_t shards = 1, threads = 1;
  std::uint64_t requests = 4000;
  std::int64_t start_ns = 998 * second;  ///< of the first machine's clock; each further one's is an hour ahead

  ShardResult result(std::uint32_t shard) const {
    const std::int64_t start = start_ns + shard * 3600 * second;
    const Plan plan(scenario);
    RunControl control;
    const Window window{start + 2 * second, start + 18 * second};
    control.window_begin = window.begin_ns;
    control.window_end = window.end_ns;
    RunTotals totals = empty_run(scenario.mix.size());
    RunFacts& facts = totals.facts;
    facts.mono_start_ns = start;
    facts.mono_end_ns = start + 20 * second;
    facts.window = window;
    facts.shard = shard;
    facts.shards = shards;
    facts.start_at_ns = 1'795'230'900'000'000'000;
    for (std::uint32_t thread = 0; thread < threads; ++thread)
      record_thread(plan, control, {shard, shards, thread, threads}, totals);
    totals.settle();
    const Summary summary = summarize(scenario, totals, {});
    return make_shard_result(scenario, totals, {}, summary);
  }

  std::vector<ShardResult> results() const {
    std::vector<ShardResult> all;
    for (std::uint32_t shard = 0; shard < shards; ++shard) all.push_back(result(shard));
    return all;
  }

 private:
  void record_thread(const Plan& plan, const RunControl& control, Share share, RunTotals& totals) const {
    Recorder recorder(scenario, control, RecordLevel::summary);
    const auto& open = std::get<OpenLoop>(scenario.load);
    ArrivalSequence arrivals(open, scenario.seed);
    OpenDeal deal(open.arrivals, scenario.seed, share);
    for (std::uint64_t index = 0; index < requests; ++index) {
      const std::int64_t due = totals.facts.mono_start_ns + arrivals.next();
      if (!deal.is_mine(index)) continue;
      recorder.on_start(plan.request(index).entry);
      recorder.on_request(scripted_request(plan, index, due, totals.facts.window));
      if (due >= totals.facts.window.begin_ns && due < totals.facts.window.end_ns) ++totals.facts.planned_in_window;
    }
    auto interval = recorder.swap(recorder.make_interval());
    interval->begin_ns = totals.facts.mono_start_ns;
    interval->end_ns = totals.facts.mono_end_ns;
    totals.add(*interval);
  }
};

}  // namespace loadgen::sample
