// What a worker sends and when: the slots of a closed loop, the pacer of an open one, and the life of one request.
#include <algorithm>
#include <type_traits>

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

/// Counters have one writer, this thread: what others only read needs no locked instruction.
template <class T>
void add(std::atomic<T>& counter, std::type_identity_t<T> amount) noexcept {
  counter.store(counter.load(std::memory_order_relaxed) + amount, std::memory_order_relaxed);
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
  if (!deal) {
    deal.emplace(closed.concurrency, config.share);
    if (!closed.stages.empty()) profile.emplace(closed.stages);
    slots.resize(deal->slots());
    if (slots.empty()) counters.quota_reached.store(start_ns, std::memory_order_relaxed);
  }
  const auto count = static_cast<std::uint32_t>(slots.size());
  const std::uint32_t to = std::min(count, from + burst_limit);
  for (std::uint32_t slot = from; slot < to; ++slot) {
    const std::int64_t now = monotonic_ns();
    schedule_in_slot(slot, profile ? start_ns : now, now);
  }
  if (to < count) loop.call_at(0, [this, to] { start_slots(to); });
}

/// The slot's next request leaves at `earliest_ns`, or when the plan wants this user back.
void Worker::Impl::schedule_in_slot(std::uint32_t slot, std::int64_t earliest_ns, std::int64_t now_ns) {
  std::int64_t due = earliest_ns;
  if (profile) {
    const auto wanted = profile->next_above(deal->user(slot), std::max(earliest_ns, start_ns) - start_ns);
    if (!wanted) return retire_slot(now_ns);
    due = start_ns + *wanted;
  }
  if (due <= now_ns) return start_in_slot(slot, due, now_ns);
  loop.call_at(due, [this, slot, due] { start_in_slot(slot, due, monotonic_ns()); });
}

/// A fixed number of requests is dealt to the users one by one, so that it is the same requests on any machine.
bool Worker::Impl::has_quota_left(std::uint32_t slot) const {
  const auto& requests = plan.scenario().length.requests;
  const auto users = std::get<ClosedLoop>(plan.scenario().load).concurrency;
  return !requests || slots[slot].measured < share_of(*requests, deal->user(slot), users);
}

void Worker::Impl::retire_slot(std::int64_t now_ns) {
  if (++slots_over == slots.size()) counters.quota_reached.store(now_ns, std::memory_order_relaxed);
}

void Worker::Impl::start_in_slot(std::uint32_t slot, std::int64_t due_ns, std::int64_t now_ns) {
  if (stopping) return;
  const bool measured = in_window(now_ns);
  if (measured) {
    if (!has_quota_left(slot)) return retire_slot(now_ns);
    ++slots[slot].measured;
  }
  Request& request = prepare(deal->request(slot, slots[slot].turn++), bytes);
  request.slot = slot;
  dispatch(request, bytes, due_ns, now_ns, measured);
}

// --- the open loop
// ----------------------------------------------------------------------------------------------------

void Worker::Impl::start_pacing(std::int64_t begin_ns) {
  const auto& open = std::get<OpenLoop>(plan.scenario().load);
  const std::uint64_t seed = plan.scenario().seed;
  pacer.emplace(Pacer{
      ArrivalSequence(open, seed), OpenDeal(open.arrivals, seed, config.share), begin_ns, 0, 0, 0, nullptr, {}, false});
  plan_next_arrival();
  pace();
}

void Worker::Impl::plan_next_arrival() {
  const std::int64_t offset = pacer->arrivals.next();
  pacer->due_ns = offset == ArrivalSequence::never ? INT64_MAX : pacer->start_ns + offset;
  counters.planned_through.store(pacer->due_ns, std::memory_order_relaxed);
  if (pacer->due_ns != INT64_MAX && pacer->deal.is_mine(pacer->index))
    pacer->ready = &prepare(pacer->index, pacer->bytes);
}

/// A fixed number of requests has been planned, or the run was stopped before this one was due.
bool Worker::Impl::is_end_of_plan() {
  if (pacer->due_ns == INT64_MAX) return true;
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
  add(counters.failed, 1);
  observer.on_request(record);
}

// --- one request
// ------------------------------------------------------------------------------------------------------

Worker::Impl::Request& Worker::Impl::take_request() {
  if (spare.empty()) {
    made.push_back(std::make_unique<Request>());
    made.back()->live_tokens = &counters.tokens;
    made.back()->intakes = &intakes;
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
  request.record.requested_tokens = planned.tokens;
  request.record.requested_input_tokens = planned.prompt_tokens;
  const MixEntry& entry = plan.scenario().mix[planned.entry];
  if (AnswerReader::may_repeat_prompt(entry)) request.record.prompt = entry.endpoint->around(plan.prompt_text(planned));
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
    add(counters.measured_open, 1);
    add(counters.measured_started, 1);
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
  add(failed ? counters.failed : counters.ok, 1);
  if (!record.streamed) add(counters.tokens, record.output_tokens);
  note_in_flight();
  if (slot != Request::no_slot) go_on_in_slot(slot, failed);
  if (record.events.size() <= events_worth_waiting) return record_now(request);
  ended.push_back(&request);
  loop.wake_idle();
  if (ended.size() > unrecorded_limit) record_oldest();
}

/// The next request of a slot goes out before the last one is recorded.
void Worker::Impl::go_on_in_slot(std::uint32_t slot, bool failed) {
  slots[slot].failures = failed ? slots[slot].failures + 1 : 0;
  const std::int64_t now = loop.now_ns();
  if (in_window(now) && !has_quota_left(slot)) return retire_slot(now);
  const DurationDraw& think = std::get<ClosedLoop>(plan.scenario().load).think_time;
  std::int64_t pause = 0;
  if (!think.is_zero())
    pause = drawn(think, plan.scenario().seed, Draw::think_time, deal->request(slot, slots[slot].turn)).count();
  if (failed) pause = std::max(pause, pause_after_failures(slots[slot].failures));
  schedule_in_slot(slot, now + pause, now);
}

void Worker::Impl::on_sent(Exchange&) {
  add(counters.sent, 1);
}

void Worker::Impl::on_read(const Exchange& exchange, const Arrival& arrival) {
  reads_are_stamped = arrival.is_kernel_stamp;
  if (exchange.events_read() > 0) gathering.on_events(exchange.usual_gap_ns(), exchange.events_read());
  if (exchange.is_over()) gathering.on_end(arrival.at_ns - exchange.record.stamps.send);
  loop.set_gathering(gathering.ns());
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
    const std::uint32_t open = counters.measured_open.load(std::memory_order_relaxed);
    counters.measured_open.store(open - 1, std::memory_order_release);  // with all that is recorded above
  }
  spare.push_back(&request);
}

}  // namespace loadgen
