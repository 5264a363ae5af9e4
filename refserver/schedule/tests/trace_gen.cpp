// Pools go down to the minimum, and the limits are bent until the scheduler accepts them.
#include "refserver/schedule/tests/trace_gen.hpp"

#include <algorithm>

namespace refserver {
namespace {

/// Both included, and the whole range from the first trace on: RapidCheck would begin with the lowest values.
std::uint32_t in(std::uint32_t low, std::uint32_t high) {
  return *rc::gen::resize(rc::kNominalSize, rc::gen::inRange(low, high + 1));
}

template <class T>
T wanted_or(const std::optional<T>& wanted, std::initializer_list<T> all) {
  if (wanted) return *wanted;
  return *rc::gen::elementOf(std::vector<T>(all));
}

rc::Gen<std::optional<std::uint32_t>> sometimes(bool enabled, std::size_t one_in, std::uint32_t low,
                                                std::uint32_t high) {
  using Maybe = std::optional<std::uint32_t>;
  if (!enabled) return rc::gen::just(Maybe());
  return rc::gen::weightedOneOf<Maybe>(
      {{one_in - 1, rc::gen::just(Maybe())},
       {1, rc::gen::map(rc::gen::inRange(low, high), [](std::uint32_t value) { return Maybe(value); })}});
}

rc::Gen<Arrival> arrival_gen(const TraceShape& shape) {
  using rc::gen::inRange;
  using rc::gen::set;
  return rc::gen::build<Arrival>(
      set(&Arrival::at_us, inRange(0U, 60'000U)), set(&Arrival::family, inRange(0U, 3U)),
      set(&Arrival::shared_tokens, inRange(0U, shape.longest)),
      set(&Arrival::own_tokens, inRange(1U, shape.longest / 2)),
      set(&Arrival::max_new_tokens, inRange(1U, shape.longest)), set(&Arrival::priority, inRange(0U, 3U)),
      set(&Arrival::tenant, inRange(0U, 3U)),
      set(&Arrival::salt, rc::gen::weightedElement<std::uint32_t>({{4, 0U}, {1, 1U}, {1, 2U}})),
      set(&Arrival::reads_cache, rc::gen::weightedElement<bool>({{5, true}, {1, false}})),
      set(&Arrival::ignores_eos, rc::gen::arbitrary<bool>()), set(&Arrival::min_new_tokens, inRange(0U, 4U)),
      set(&Arrival::stop_token, sometimes(true, 4, 1, kVocabularySize)),
      set(&Arrival::cancel_after_us, sometimes(shape.has_cancels, 5, 0, 40'000)),
      set(&Arrival::deadline_after_us, sometimes(shape.has_deadlines, 5, 0, 60'000)),
      set(&Arrival::first_due_after_us, sometimes(shape.has_due_times, 2, 0, 60'000)));
}

/// Most requests fit the pool and the limits, some exactly; one in sixteen is left as it is.
void fit(std::vector<Arrival>& arrivals, const SchedulerConfig& config) {
  const std::uint32_t pool_tokens = (config.pool.blocks - 1) * config.pool.block_size;
  const std::uint32_t total = config.max_total_tokens > 0 ? config.max_total_tokens : pool_tokens + 1;
  for (Arrival& arrival : arrivals) {
    if (arrival.at_us % 16 == 0) continue;
    arrival.shared_tokens %= (total + 1) / 2;
    arrival.own_tokens = 1 + arrival.own_tokens % (total / 2);
    const std::uint32_t prompt = arrival.shared_tokens + arrival.own_tokens;
    if (prompt >= total) arrival.shared_tokens = 0;
    if (config.max_total_tokens > 0) {
      arrival.max_new_tokens = 1 + arrival.max_new_tokens % (total - arrival.shared_tokens - arrival.own_tokens);
    }
  }
}

void choose_limits(SchedulerConfig& config, const TraceShape& shape) {
  config.pool.block_size = *rc::gen::element(1U, 2U, 4U, 16U);
  config.pool.blocks = in(2U, 30U);
  config.pool.name_mask = *rc::gen::element(~std::uint64_t{0}, ~std::uint64_t{0}, std::uint64_t{3});
  const std::uint32_t pool_tokens = (config.pool.blocks - 1) * config.pool.block_size;
  config.max_total_tokens = pool_tokens > 1 && in(0, 2) == 0 ? in(pool_tokens / 2 + 1, pool_tokens) : 0;
  config.max_batch_prefill_tokens = in(1U, pool_tokens);
  if (config.prefill == PrefillKind::separate) config.max_batch_prefill_tokens = pool_tokens;
  config.max_batch_size = in(1U, 12U);
  config.max_chunk_tokens = *rc::gen::element(0U, 1U, 5U, 16U);
  config.max_drafts = *rc::gen::element(0U, 0U, 1U, 4U);
  if (!shape.has_queue_limits) return;
  config.max_waiting_requests = in(1U, 8U);
  config.max_waiting_prompt_tokens = *rc::gen::element(0U, 30U, 100U);
  config.queue_timeout = std::chrono::microseconds(*rc::gen::element(0U, 5'000U, 30'000U));
}

}  // namespace

Trace arbitrary_trace(const TraceShape& shape) {
  Trace trace;
  SchedulerConfig& config = trace.config;
  config.pool.model = "m";
  config.batch =
      wanted_or(shape.batch, {BatchKind::continuous, BatchKind::continuous, BatchKind::fixed, BatchKind::serial});
  config.prefill = wanted_or(shape.prefill, {PrefillKind::chunked, PrefillKind::chunked, PrefillKind::separate});
  config.admission = wanted_or(shape.admission, {AdmissionKind::optimistic, AdmissionKind::optimistic,
                                                 AdmissionKind::reserve, AdmissionKind::adaptive});
  config.policy =
      wanted_or(shape.policy, {PolicyKind::fcfs, PolicyKind::priority, PolicyKind::fair, PolicyKind::shortest_first});
  config.chunk_cut = *rc::gen::element(ChunkCut::anywhere, ChunkCut::last_block);
  config.has_prefix_cache = *rc::gen::weightedElement<bool>({{3, true}, {1, false}});
  choose_limits(config, shape);
  config.watermark = *rc::gen::element(0.0, 0.01, 0.2);
  config.ageing = std::chrono::microseconds(*rc::gen::element(0, 1'000, 20'000));
  config.bypass_window = *rc::gen::element(0U, 0U, 4U);
  config.bypass_limit = std::chrono::microseconds(*rc::gen::element(1'000, 50'000));
  config.max_waiting_tokens = in(1U, 10U);
  trace.engine.drafts = config.max_drafts;
  trace.engine.accuracy_percent = in(0U, 100U);
  trace.engine.seed = in(1U, 1000U);
  trace.engine.failing_permille = shape.has_failures ? 20 : 0;
  trace.arrivals = *rc::gen::resize(
      shape.requests, rc::gen::container<std::vector<Arrival>>(rc::gen::resize(rc::kNominalSize, arrival_gen(shape))));
  fit(trace.arrivals, config);
  RC_PRE(!find_problem(config));
  return trace;
}

void run_to_the_end(World& world, std::size_t most_steps) {
  const bool has_ended = world.run(most_steps);
  if (!has_ended || !world.fault.empty()) {
    RC_LOG() << "fault: " << world.fault << "; steps " << world.steps << ", waiting " << world.scheduler.waiting()
             << ", running " << world.scheduler.running() << ", in flight " << world.scheduler.in_flight() << '\n';
  }
  RC_ASSERT(has_ended);
  RC_ASSERT(world.fault.empty());
}

}  // namespace refserver
