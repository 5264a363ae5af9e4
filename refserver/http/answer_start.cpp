// The way in: permits, validation here or on the pool, submission, and the next segment of a long answer.
#include <algorithm>
#include <utility>

#include "refserver/http/answer.hpp"
#include "refserver/http/fault_run.hpp"
#include "refserver/http/validation_pool.hpp"

namespace refserver {
namespace {

/// A seed nobody can tell from a random one, without asking the system for randomness per request (splitmix64).
std::uint64_t make_seed(RequestId id, TimePoint received) {
  std::uint64_t x = static_cast<std::uint64_t>(received.time_since_epoch().count()) + id * 0x9E3779B97F4A7C15U;
  x = (x ^ (x >> 30U)) * 0xBF58476D1CE4E5B9U;
  x = (x ^ (x >> 27U)) * 0x94D049BB133111EBU;
  return x ^ (x >> 31U);
}

const Error kOverloaded{ErrorType::overloaded, "Model is overloaded"};

/// TGI counts its handler and then, on routes that are built on others, each generation again.
std::size_t extra_counts(Route route, std::size_t jobs) {
  return route == Route::chat || route == Route::completions || route == Route::vertex ? jobs : 0;
}

}  // namespace

void Answer::add_sequence(std::size_t job) {
  Generation sequence;
  sequence.job = job;
  sequence.truth.id = ++service_.last_id;
  sequence.truth.route = facts_.route;
  sequence.truth.client_id = facts_.client_id;
  sequence.truth.received = facts_.received;
  sequences_.push_back(std::move(sequence));
  ++open_;
}

void Answer::start(GenerateRequest request) {
  face_.count([](ServerMetrics& m) { m.on_request(); });
  route_ = request.route;
  auto prepared = service_.validator.prepare(std::move(request), face_.only_model);
  if (!prepared) {
    add_sequence(0);
    return refuse(prepared.error());
  }
  jobs_ = std::move(*prepared);
  for (std::size_t n = extra_counts(route_, jobs_.size()); n > 0; --n) {
    face_.count([](ServerMetrics& m) { m.on_request(); });
  }
  if (begin_fault()) return;
  is_stream_ = jobs_.front().stream;
  is_starting_ = true;
  if (is_stream_) {
    start_stream();
  } else {
    start_whole();
  }
  is_starting_ = false;
  if (!is_done_ && !out_.bytes().empty()) flush();
}

/// Every sequence of a stream stands for itself: one that is refused sends its error when its turn comes.
void Answer::start_stream() {
  begin_chunking();
  append_stream_head();
  sequences_.reserve(jobs_.size());
  for (std::size_t job = 0; job < jobs_.size(); ++job) add_sequence(job);
  for (std::size_t job = 0; job < jobs_.size() && !is_done_; ++job) {
    Generation& sequence = sequences_[job];
    if (auto error = service_.validator.refuse_before_permit(jobs_[job])) {
      fail(job, *error);
    } else if (!(sequence.permit = service_.admission.try_enter())) {
      fail(job, kOverloaded);
    } else {
      begin_validation(job);
    }
  }
}

/// A whole answer has all of its sequences or none.
void Answer::start_whole() {
  for (std::size_t job = 0; job < jobs_.size(); ++job) add_sequence(job);
  for (const GenerateRequest& job : jobs_) {
    if (auto error = service_.validator.refuse_before_permit(job)) return refuse(*error);
  }
  const std::uint64_t copies = jobs_.front().parameters.best_of.value_or(1);
  for (std::uint64_t n = 1; n < copies; ++n) add_sequence(0);
  for (Generation& sequence : sequences_) {
    sequence.permit = service_.admission.try_enter();
    if (!sequence.permit) return refuse(kOverloaded);
  }
  for (std::size_t job = 0; job < jobs_.size() && !is_last_formatted_ && !is_done_; ++job) begin_validation(job);
}

void Answer::begin_validation(std::size_t job) {
  const std::uint64_t seed = make_seed(sequences_[job].truth.id, facts_.received);
  run_validation(jobs_[job], seed,
                 [this, job](const Result<ValidatedRequest, Error>& valid) { on_validated(job, valid); });
}

/// Short prompts right here; long ones on the pool, so that other clients' tokens do not wait for them.
void Answer::run_validation(const GenerateRequest& request, std::uint64_t seed,
                            std::function<void(Result<ValidatedRequest, Error>)> then) {
  const Validator& validator = service_.validator;
  if (request.inputs.size() <= service_.options.inline_validation_bytes) {
    return then(validator.validate(request, seed));
  }
  ++validating_;
  // `request` stays where it is until every validation has come back: it belongs to this answer.
  auto result = std::make_shared<std::optional<Result<ValidatedRequest, Error>>>();
  service_.pool.run([&validator, &request, seed, result] { *result = validator.validate(request, seed); },
                    [self = shared_from_this(), result, then = std::move(then)] {
                      --self->validating_;
                      if (self->is_done_) {
                        // Abandoned meanwhile: the permits were kept for as long as the work went on.
                        if (self->validating_ == 0) self->sequences_.clear();
                        return;
                      }
                      self->is_starting_ = true;
                      then(std::move(**result));
                      self->is_starting_ = false;
                      if (!self->is_done_ && !self->out_.bytes().empty() && !self->writer_.is_waiting()) self->flush();
                    });
}

void Answer::on_validated(std::size_t job, const Result<ValidatedRequest, Error>& valid) {
  if (is_last_formatted_) return;  // a sibling was refused, and with it the whole
  if (valid) return submit_job(job, *valid);
  if (is_stream_) return fail(job, valid.error());
  refuse(valid.error());
}

void Answer::submit_job(std::size_t job, const ValidatedRequest& valid) {
  for (std::size_t i = job; i < sequences_.size() && !is_last_formatted_; ++i) {
    if (sequences_[i].job != job) continue;
    ValidatedRequest copy = valid;
    if (i != job && copy.request.sampling.seed) {
      copy.request.sampling.seed = make_seed(sequences_[i].truth.id, facts_.received);
      copy.shape.seed = copy.request.sampling.seed;
    }
    copy.shape.choice = static_cast<std::uint32_t>(job);
    submit(i, std::move(copy));
  }
}

void Answer::submit(std::size_t index, ValidatedRequest valid) {
  Generation& sequence = sequences_[index];
  const std::uint32_t tokens = valid.request.max_new_tokens;
  TruthRecord& truth = sequence.truth;
  truth.model = service_.models[valid.request.model].name;
  truth.prompt_tokens = sequence.prompt_tokens = valid.request.prompt_tokens;
  const std::uint32_t usual = std::min(tokens, kSegmentTokens);
  truth.due.reserve(usual);
  truth.steps.reserve(usual);
  truth.achieved.reserve(is_stream_ ? usual : 1);
  if (valid.total_new_tokens > tokens) {
    sequence.segments = std::make_unique<Segments>();
    sequence.segments->request = jobs_[sequence.job];
    if (valid.shape.seed) sequence.segments->request.parameters.seed = valid.shape.seed;
    sequence.segments->total_new_tokens = valid.total_new_tokens;
  }
  sequence.queued = Clock::now();  // before: the engine may be faster than this thread
  if (!service_.work.try_submit(
          {truth.id, facts_.received, std::move(valid.request), facts_.draw_key, facts_.standing})) {
    return is_stream_ ? fail(index, kOverloaded) : refuse(kOverloaded);
  }
  service_.receivers.emplace(truth.id, Receiver{this, static_cast<std::uint32_t>(index)});
  face_.count([&](ServerMetrics& m) { m.on_valid(sequence.prompt_tokens, usual); });
  if (is_stream_) {
    sequence.stream = make_stream_format(std::move(valid.shape));
  } else {
    sequence.whole = std::make_unique<CollectedAnswer>(std::move(valid.shape));
  }
}

/// The segment ended by its length and more was asked for: the text so far becomes part of the prompt, and the request
/// queues again. If that is no longer valid, the answer ends here.
void Answer::continue_or_end(std::size_t index, TokenEvent last) {
  Segments& segments = *sequences_[index].segments;
  segments.tokens_before = last.index;
  segments.request.inputs += std::exchange(segments.text, {});
  run_validation(segments.request, segments.request.parameters.seed.value_or(0),
                 [this, index, last = std::move(last)](Result<ValidatedRequest, Error> valid) mutable {
                   if (!valid) {
                     sequences_[index].segments.reset();
                     return take_token(index, last);
                   }
                   submit_next_segment(index, std::move(last), std::move(*valid));
                 });
}

void Answer::submit_next_segment(std::size_t index, TokenEvent last, ValidatedRequest valid) {
  Generation& sequence = sequences_[index];
  const std::uint32_t prompt_tokens = valid.request.prompt_tokens;
  const std::uint32_t tokens = valid.request.max_new_tokens;
  if (service_.work.try_submit(
          {sequence.truth.id, Clock::now(), std::move(valid.request), facts_.draw_key, facts_.standing})) {
    last.finish.reset();
    face_.count([&](ServerMetrics& m) { m.on_valid(prompt_tokens, tokens); });
  } else {
    sequence.segments.reset();
  }
  take_token(index, last);
}

}  // namespace refserver
