// The workers of a run, each with the recorder that it alone writes to. Used from the conductor's thread.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "loadgen/drive/worker.hpp"
#include "loadgen/record/recorder.hpp"

namespace loadgen {

class Lanes {
 public:
  /// At least one is to be added before anything else is done.
  void add(std::unique_ptr<Recorder> recorder, std::unique_ptr<Worker> worker);

  /// Starts the threads and opens the first connections; returns when that is done or was given up.
  void open_connections();
  void begin(std::int64_t start_ns);
  void stop_sending();
  /// Cuts every request under way: those of the window end as `measured`.
  void cut_all(Outcome measured, const char* why);
  void join();

  /// Adds up what `field` reads from each worker's counters.
  template <class Field>
  auto sum(Field field) const {
    auto total = field(lanes_.front().worker->counters()) * 0;
    for (const Lane& lane : lanes_) total += field(lane.worker->counters());
    return total;
  }
  /// Calls `visit` with each worker's counters.
  template <class Visit>
  void for_each(Visit visit) const {
    for (const Lane& lane : lanes_) visit(lane.worker->counters());
  }
  template <class Test>
  bool all_of(Test test) const {
    for (const Lane& lane : lanes_)
      if (!test(lane.worker->counters())) return false;
    return true;
  }

  /// An empty interval for `collect_into`.
  std::unique_ptr<Interval> make_interval() const { return lanes_.front().recorder->make_interval(); }
  /// Takes what every recorder has recorded since the last call, `wall_ns` ago, and adds it to `merged`.
  void collect_into(Interval& merged, std::int64_t wall_ns);

  /// Remembers the CPU time of the threads; `most_cpu_ns` is that of the busiest one since then.
  void mark_cpu();
  std::int64_t most_cpu_ns() const;

 private:
  struct Lane {
    std::unique_ptr<Recorder> recorder;
    std::unique_ptr<Worker> worker;
    std::unique_ptr<Interval> spare;
    std::int64_t cpu_at_collect = 0;
    std::int64_t cpu_at_mark = 0;
  };

  static std::unique_ptr<Interval> take(Lane& lane, std::int64_t wall_ns);

  std::vector<Lane> lanes_;
};

}  // namespace loadgen
