// What a worker sends and when: the slots of a closed loop, the pacer of an open one, and the life of one request.
#include <algorithm>

#include "loadgen/drive/worker_impl.hpp"

namespace loadgen {
namespace {

/// How many requests leave without looking at what can be read meanwhile: a burst of thousands must not make the
/// answers to its first ones wait.
constexpr std::uint32_t burst_limit = 16;

/// Recording costs some 50 ns an event: a request with few of them is recorded at once, others wait for an idle moment.
/// How many may wait before recording goes first, and how many events are recorded in one idle turn: some 20 us, the
/// longest that an arriving byte or a due request then waits.
constexpr std::size_t events_worth_waiting = 8;
constexpr std::size_t unrecorded_limit = 1024;
constexpr std::size_t events_per_idle_turn = 256;

/// A slot whose request failed waits before it sends the next planned one, longer each time: a dead server must not
/// turn a closed loop into a busy loop.
std::int64_t pause_after_failures(std::uint32_t failures) noexcept {
  constexpr std::int64_t base = 10'000'000;
  constexpr std::int64_t cap = 1'000'000'000;
  return std::min(cap, base << std::min(failures - 1, 10U));
}

}  // namespace

bool Worker::Impl::in_window(std::int64_t at_ns) const noexcept {
  return at_ns >= control.window_begin.load(std::memory_order_relaxed) &&
         at_ns < control.window_end.load(std::memory_order_relaxed);
}

Phase Worker::Impl::phase_of(const RequestRecord& record) const noexcept {
  const std::int64_t anchor =
      is_open_loop(plan.scenario()) || record.stamps.send == 0 ? record.stamps.intended : record.stamps.send;
  if (anchor < control.window_begin.load(std::memory_order_relaxed)) return Phase::warmup;
  return anchor < control.window_end.load(std::memory_order_relaxed) ? Phase::measure : Phase::drain;
}

// --- the closed loop
// --------------------------------------------------------------------------------------------------

void Worker::Impl::start_slots(std::uint32_t from) {
  const auto& closed = std::get<ClosedLoop>(plan.scenario().load);
  const auto slots = static_cast<std::uint32_t>(share_of(closed.concurrency, config.index, config.count));
  slot_failures.resize(slots);
  const std::uint32_t to = std::min(slots, from + burst_limit);
  for (std::uint32_t slot = from; slot < to; ++slot) start_in_slot(slot, monotonic_ns());
  if (to < slots) loop.call_at(0, [this, to] { start_slots(to); });
}

bool Worker::Impl::take_closed_request(std::uint64_t& index, bool& measured, std::int64_t now_ns) {
  if (stopping) return false;
  measured = in_window(now_ns);
  if (measured && plan.scenario().length.requests) {
    if (measured_taken >= share_of(*plan.scenario().length.requests, config.index, config.count)) {
      counters.quota_reached.store(now_ns, std::memory_order_relaxed);
      return false;
    }
    ++measured_taken;
  }
  index = config.index + next_index++ * config.count;
  return true;
}

void Worker::Impl::start_in_slot(std::uint32_t slot, std::int64_t now_ns) {
  std::uint64_t index = 0;
  bool measured = false;
  if (!take_closed_request(index, measured, now_ns)) return;
  Request& request = prepare(index, bytes);
  request.slot = slot;
  dispatch(request, bytes, now_ns, now_ns, measured);
}

// --- the open loop
// ----------------------------------------------------------------------------------------------------

void Worker::Impl::start_pacing(std::int64_t start_ns) {
  pacer.emplace(Pacer{ArrivalSequence(std::get<OpenLoop>(plan.scenario().load), plan.scenario().seed),
                      start_ns,
                      0,
                      0,
                      0,
                      nullptr,
                      {},
                      false});
  plan_next_arrival();
  pace();
}

void Worker::Impl::plan_next_arrival() {
  pacer->due_ns = pacer->start_ns + pacer->arrivals.next();
  counters.planned_through.store(pacer->due_ns, std::memory_order_relaxed);
  if (pacer->index % config.count == config.index) pacer->ready = &prepare(pacer->index, pacer->bytes);
}

/// A fixed number of requests has been planned, or the run was stopped before this one was due.
bool Worker::Impl::is_end_of_plan() {
  const auto& requests = plan.scenario().length.requests;
  if (requests && in_window(pacer->due_ns) && pacer->measured++ >= *requests) {
    counters.quota_reached.store(pacer->due_ns, std::memory_order_relaxed);
    return true;
  }
  return stopping && pacer->due_ns > stopped_ns;
}

void Worker::Impl::pace() {
  for (std::uint32_t sent = 0; !pacer->is_over; ++pacer->index, plan_next_arrival()) {
    const std::int64_t now = monotonic_ns();
    if (pacer->ready != nullptr && !stopping && (now < pacer->due_ns || sent == burst_limit)) {
      return loop.call_at(pacer->due_ns, [this] { pace(); });
    }
    if (is_end_of_plan()) break;
    Request* request = std::exchange(pacer->ready, nullptr);
    if (request == nullptr) continue;
    ++sent;
    if (stopping) {
      spare.push_back(request);
      drop(pacer->index, pacer->due_ns);
    } else {
      dispatch(*request, pacer->bytes, pacer->due_ns, now, in_window(pacer->due_ns));
    }
  }
  pacer->is_over = true;
  counters.planned_through.store(INT64_MAX, std::memory_order_relaxed);
}

void Worker::Impl::drop(std::uint64_t index, std::int64_t due_ns) {
  RequestRecord record;
  record.index = index;
  record.entry = plan.request(index).entry;
  record.outcome = Outcome::dropped;
  record.error = "due, and not sent before the run was stopped";
  record.stamps.intended = record.stamps.end = due_ns;
  record.phase = phase_of(record);
  counters.failed.fetch_add(1, std::memory_order_relaxed);
  observer.on_request(record);
}

// --- one request
// ------------------------------------------------------------------------------------------------------

Worker::Impl::Request& Worker::Impl::take_request() {
  if (spare.empty()) {
    made.push_back(std::make_unique<Request>());
    made.back()->live_tokens = &counters.tokens;
    return *made.back();
  }
  Request* request = spare.back();
  spare.pop_back();
  return *request;
}

Worker::Impl::Request& Worker::Impl::prepare(std::uint64_t index, std::string& into) {
  const PlannedRequest planned = plan.request(index);
  Request& request = take_request();
  request.prepare(plan.scenario().mix[planned.entry], plan.scenario().timeouts);
  request.record.index = index;
  request.record.entry = planned.entry;
  request.slot = Request::no_slot;
  writer.write(planned, into);
  return request;
}

void Worker::Impl::dispatch(Request& request, std::string_view request_bytes, std::int64_t intended_ns,
                            std::int64_t now_ns, bool counted) {
  request.record.stamps.intended = intended_ns;
  request.record.stamps.dispatch = now_ns;
  request.counted = counted;
  observer.on_start(request.record.entry);
  if (counted) {
    counters.measured_open.fetch_add(1, std::memory_order_relaxed);
    counters.measured_started.fetch_add(1, std::memory_order_relaxed);
  }
  courier.carry(request, entry_target[request.record.entry], request_bytes);
  note_in_flight();
}

void Worker::Impl::on_over(Exchange& exchange) {
  auto& request = static_cast<Request&>(exchange);
  const RequestRecord& record = request.record;
  const bool failed = is_failure(record.outcome);
  const std::uint32_t slot = request.slot;
  request.record.phase = phase_of(record);
  (failed ? counters.failed : counters.ok).fetch_add(1, std::memory_order_relaxed);
  if (!record.streamed) counters.tokens.fetch_add(record.output_tokens, std::memory_order_relaxed);
  note_in_flight();
  if (slot != Request::no_slot) go_on_in_slot(slot, failed);
  if (record.events.size() <= events_worth_waiting) return record_now(request);
  ended.push_back(&request);
  loop.wake_idle();
  if (ended.size() > unrecorded_limit) record_oldest();
}

/// The next request of a slot goes out before the last one is recorded.
void Worker::Impl::go_on_in_slot(std::uint32_t slot, bool failed) {
  slot_failures[slot] = failed ? slot_failures[slot] + 1 : 0;
  const std::int64_t now = loop.now_ns();
  if (!failed) return start_in_slot(slot, now);
  loop.call_at(now + pause_after_failures(slot_failures[slot]), [this, slot] { start_in_slot(slot, monotonic_ns()); });
}

void Worker::Impl::on_sent(Exchange&) {
  counters.sent.fetch_add(1, std::memory_order_relaxed);
}

void Worker::Impl::on_read(const Arrival& arrival) {
  reads_are_stamped = arrival.is_kernel_stamp;
  if (in_window(arrival.read_ns)) observer.on_read(arrival);
}

void Worker::Impl::note_in_flight() {
  const auto in_flight = static_cast<std::uint32_t>(courier.under_way());
  counters.in_flight.store(in_flight, std::memory_order_relaxed);
  if (in_flight > counters.max_in_flight_in_window.load(std::memory_order_relaxed) && in_window(monotonic_ns())) {
    counters.max_in_flight_in_window.store(in_flight, std::memory_order_relaxed);
  }
}

// --- recording
// --------------------------------------------------------------------------------------------------------

/// A little of it, when there is nothing better to do; true if there is more.
bool Worker::Impl::record_some() {
  for (std::size_t events = 0; !ended.empty() && events < events_per_idle_turn;) {
    events += ended.front()->record.events.size();
    record_oldest();
  }
  return !ended.empty();
}

void Worker::Impl::record_all() {
  while (!ended.empty()) record_oldest();
}

void Worker::Impl::record_oldest() {
  Request& request = *ended.front();
  ended.pop_front();
  record_now(request);
}

void Worker::Impl::record_now(Request& request) {
  observer.on_request(request.record);
  if (request.counted) {
    counters.last_measured_end.store(request.record.stamps.end, std::memory_order_relaxed);
    counters.measured_open.fetch_sub(1, std::memory_order_release);
  }
  spare.push_back(&request);
}

}  // namespace loadgen
