#include "loadgen/observe/observer.hpp"

#include <fmt/format.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <optional>
#include <thread>
#include <utility>

#include "loadgen/drive/clock.hpp"
#include "loadgen/observe/nvml_source.hpp"
#include "loadgen/observe/scrape_source.hpp"

namespace loadgen {
namespace {

constexpr std::int64_t every_ns = 1'000'000'000;
constexpr auto patience = std::chrono::seconds(5);
constexpr int observing_niceness = 10;

/// A GPU of this machine serves the requests when a target is on this machine.
bool is_here(const Target& target) {
  return !target.unix_path.empty() || target.host == "localhost" || target.host == "::1" ||
         target.host.starts_with("127.");
}

SourceLog log_of_page(const MetricsPage& page, Subject::Kind kind) {
  SourceLog log;
  log.name = page.url;
  log.kind = kind;
  log.is_page = true;
  log.is_open = true;
  return log;
}

}  // namespace

/// What the threads share with the run. They hold it too: one that never comes back leaves nothing dangling.
struct Observer::State {
  std::mutex mutex;
  std::condition_variable changed;
  SampleStore store;
  bool is_ending = false;
  std::shared_ptr<std::atomic<bool>> give_up = std::make_shared<std::atomic<bool>>(false);
};

/// One source and its thread.
class Observer::Watch {
 public:
  Watch(std::shared_ptr<State> state, std::size_t index, std::unique_ptr<Source> source)
      : state_(std::move(state)), index_(index), source_(std::move(source)) {}

  void start() {
    thread_ = std::thread([state = state_, index = index_, source = std::move(source_), ended = ended_]() mutable {
      // A page may take a while to be read: that must not take a core from a thread that has bytes to stamp.
      ::setpriority(PRIO_PROCESS, static_cast<id_t>(::gettid()), observing_niceness);
      watch(*state, index, *source);
      source.reset();
      const std::lock_guard lock(state->mutex);
      *ended = true;
      state->changed.notify_all();
    });
  }

  /// Waits until the thread has ended or `until`; whether it has.
  bool end(std::chrono::steady_clock::time_point until) {
    if (!thread_.joinable()) return true;
    std::unique_lock lock(state_->mutex);
    const bool ended = state_->changed.wait_until(lock, until, [this] { return *ended_; });
    lock.unlock();
    ended ? thread_.join() : thread_.detach();
    return ended;
  }
  std::size_t index() const noexcept { return index_; }

 private:
  static void look(State& state, std::size_t index, Source& source) {
    const std::int64_t begin = monotonic_ns();
    SourceRead read = source.read();
    const std::int64_t middle = begin + (monotonic_ns() - begin) / 2;
    const std::lock_guard lock(state.mutex);
    state.store.add(index, middle, std::move(read));
  }

  /// On whole seconds from the first look; one that was missed because a look took longer is left out.
  static void watch(State& state, std::size_t index, Source& source) {
    const std::int64_t first = monotonic_ns();
    for (;;) {
      look(state, index, source);
      const std::int64_t now = monotonic_ns();
      const std::int64_t left = every_ns - (now - first) % every_ns;
      std::unique_lock lock(state.mutex);
      if (!state.changed.wait_for(lock, std::chrono::nanoseconds(left), [&] { return state.is_ending; })) continue;
      lock.unlock();
      return look(state, index, source);
    }
  }

  std::shared_ptr<State> state_;
  std::size_t index_;
  std::unique_ptr<Source> source_;
  std::shared_ptr<bool> ended_ = std::make_shared<bool>(false);
  std::thread thread_;
};

Observer::Observer(const Scenario& scenario, const char* nvml_library) : state_(std::make_shared<State>()) {
  open_gpus(scenario, nvml_library);
  for (const MetricsPage& page : scenario.observe.scrape)
    add(log_of_page(page, Subject::Kind::server), make_scrape_source(page, Subject::Kind::server, state_->give_up));
}

Observer::~Observer() {
  end_threads();
}

void Observer::add(SourceLog log, std::unique_ptr<Source> source) {
  const std::size_t index = state_->store.add_source(std::move(log));
  if (source) watches_.push_back(std::make_unique<Watch>(state_, index, std::move(source)));
}

void Observer::open_gpus(const Scenario& scenario, const char* nvml_library) {
  const Observe& observe = scenario.observe;
  for (const MetricsPage& page : observe.gpu_pages)
    add(log_of_page(page, Subject::Kind::gpu), make_scrape_source(page, Subject::Kind::gpu, state_->give_up));
  if (observe.gpu != GpuSource::nvml) return;
  SourceLog log;
  log.name = "nvml";
  log.is_targets = std::any_of(scenario.mix.begin(), scenario.mix.end(),
                               [](const MixEntry& entry) { return is_here(entry.target); });
  auto library = NvmlLibrary::open(nvml_library);
  if (!library) {
    log.first_error = library.error();
    return add(std::move(log), nullptr);
  }
  auto source = NvmlSource::open(*library, observe.memory_baseline_mib);
  if (!source) {
    log.first_error = source.error();
    return add(std::move(log), nullptr);
  }
  log.is_open = true;
  log.notes = (*source)->notes();
  add(std::move(log), std::move(*source));
}

std::vector<std::string> Observer::complaints() const {
  std::vector<std::string> lines;
  const std::lock_guard lock(state_->mutex);
  for (const SourceLog& log : state_->store.sources())
    if (!log.is_open) lines.push_back(fmt::format("{}: {}", log.name, log.first_error));
  return lines;
}

void Observer::start() {
  for (const auto& watch : watches_) watch->start();
}

std::vector<SubjectReading> Observer::take_new() {
  const std::lock_guard lock(state_->mutex);
  return state_->store.take_new();
}

void Observer::end_threads() {
  {
    const std::lock_guard lock(state_->mutex);
    state_->is_ending = true;
    state_->changed.notify_all();
  }
  const auto until = std::chrono::steady_clock::now() + patience;
  for (const auto& watch : watches_) {
    if (watch->end(until)) continue;
    state_->give_up->store(true);
    const std::lock_guard lock(state_->mutex);
    state_->store.add(watch->index(), monotonic_ns(), {{}, "it did not answer for seconds when the run had ended"});
  }
  watches_.clear();
}

Observations Observer::finish() {
  end_threads();
  const std::lock_guard lock(state_->mutex);
  return state_->store.take();
}

Result<std::string, std::string> describe_nvml(const char* nvml_library) {
  using Described = Result<std::string, std::string>;
  const auto library = NvmlLibrary::open(nvml_library);
  if (!library) return Described(boost::system::in_place_error, library.error());
  const auto source = NvmlSource::open(*library, std::nullopt);
  if (!source) return Described(boost::system::in_place_error, source.error());
  const SourceRead read = (*source)->read();
  std::string text;
  for (const SubjectReading& gpu : read.readings)
    text += fmt::format("{}{} ({:.0f} MiB)", text.empty() ? "" : ", ", gpu.subject.name,
                        gpu.reading.values[ObservedMetric::gpu_memory_total_mib]);
  const std::string version = (*library)->driver_version();
  if (!version.empty()) text += ", driver " + version;
  if (!read.error.empty()) text += "; " + read.error;
  return Described(boost::system::in_place_value, text);
}

}  // namespace loadgen
