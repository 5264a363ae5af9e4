// Orders go to every worker; what was recorded comes back interval by interval, without a worker waiting for it.
#include "loadgen/lanes.hpp"

#include <algorithm>
#include <future>
#include <utility>

namespace loadgen {

void Lanes::add(std::unique_ptr<Recorder> recorder, std::unique_ptr<Worker> worker) {
  auto spare = recorder->make_interval();
  lanes_.push_back({std::move(recorder), std::move(worker), std::move(spare)});
}

void Lanes::open_connections() {
  std::vector<std::future<void>> ready;
  ready.reserve(lanes_.size());
  for (Lane& lane : lanes_) ready.push_back(lane.worker->start());
  for (auto& future : ready) future.wait();
}

void Lanes::begin(std::int64_t start_ns) {
  for (Lane& lane : lanes_) lane.worker->begin(start_ns);
}

void Lanes::stop_sending() {
  for (Lane& lane : lanes_) lane.worker->stop_sending();
}

void Lanes::cut_all(Outcome measured, const char* why) {
  for (Lane& lane : lanes_) lane.worker->cut_all(measured, why);
}

void Lanes::join() {
  for (Lane& lane : lanes_) lane.worker->join();
}

void Lanes::collect_into(Interval& merged, std::int64_t wall_ns) {
  for (Lane& lane : lanes_) {
    auto interval = take(lane, wall_ns);
    merged.add(std::move(*interval));
    interval->reset();
    lane.spare = std::move(interval);
  }
}

std::unique_ptr<Interval> Lanes::take(Lane& lane, std::int64_t wall_ns) {
  auto taken = std::make_shared<std::promise<std::unique_ptr<Interval>>>();
  auto future = taken->get_future();
  auto spare = std::make_shared<std::unique_ptr<Interval>>(std::move(lane.spare));
  lane.worker->post(
      [taken, spare, recorder = lane.recorder.get()] { taken->set_value(recorder->swap(std::move(*spare))); });
  auto interval = future.get();
  const std::int64_t cpu = lane.worker->cpu_ns();
  const WorkerCounters& counters = lane.worker->counters();
  interval->health.cpu_ns = cpu - lane.cpu_at_collect;
  interval->health.wall_ns = wall_ns;
  interval->health.in_flight = counters.in_flight.load();
  interval->health.max_in_flight = counters.max_in_flight_in_window.load();
  lane.cpu_at_collect = cpu;
  return interval;
}

void Lanes::mark_cpu() {
  for (Lane& lane : lanes_) lane.cpu_at_mark = lane.worker->cpu_ns();
}

std::int64_t Lanes::most_cpu_ns() const {
  std::int64_t most = 0;
  for (const Lane& lane : lanes_) most = std::max(most, lane.worker->cpu_ns() - lane.cpu_at_mark);
  return most;
}

}  // namespace loadgen
