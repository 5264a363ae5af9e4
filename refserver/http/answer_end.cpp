// The end of an answer: the whole body with its headers, the truth log, the metrics.
#include <algorithm>
#include <array>
#include <charconv>
#include <cstdio>
#include <ctime>
#include <utility>

#include "refserver/http/answer.hpp"
#include "refserver/http/fault_run.hpp"
#include "refserver/http/request_log.hpp"

namespace refserver {
namespace {

std::uint64_t milliseconds_between(TimePoint from, TimePoint to) {
  return static_cast<std::uint64_t>(std::chrono::duration_cast<std::chrono::milliseconds>(to - from).count());
}

/// Seconds as the shortest decimal that reads back as the same number.
std::string seconds_text(TimePoint from, TimePoint to) {
  std::array<char, 32> digits{};
  const double seconds = seconds_between(from, to);
  const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), seconds, std::chars_format::fixed).ptr;
  return {digits.data(), end};
}

/// What TGI's x- headers tell of one sequence, or of several added up.
struct Timings {
  std::uint64_t characters = 0;
  std::uint64_t total = 0;
  std::uint64_t validation = 0;
  std::uint64_t queue = 0;
  std::uint64_t inference = 0;
  std::uint64_t per_token = 0;
  std::uint64_t prompt_tokens = 0;
  std::uint64_t generated_tokens = 0;

  void add(const Generation& s) {
    const std::uint64_t tokens = s.whole->tokens();
    characters += s.whole->shape().prompt_characters;
    total += milliseconds_between(s.truth.received, s.ended);
    validation += milliseconds_between(s.truth.received, s.queued);
    queue += milliseconds_between(s.queued, s.started_at());
    inference += milliseconds_between(s.started_at(), s.ended);
    per_token += milliseconds_between(s.started_at(), s.ended) / tokens;
    prompt_tokens += s.prompt_tokens;
    generated_tokens += tokens;
  }
};

}  // namespace

std::size_t Answer::best_sequence() const {
  std::size_t best = 0;
  for (std::size_t i = 1; i < sequences_.size(); ++i) {
    // The first of equals wins.
    if (sequences_[i].whole->mean_logprob() > sequences_[best].whole->mean_logprob()) best = i;
  }
  return best;
}

void Answer::finish_whole() {
  std::vector<const CollectedAnswer*> parts;
  Timings timings;
  if (is_best_of()) {
    winner_ = best_sequence();
    parts.push_back(sequences_[winner_].whole.get());
    timings.add(sequences_[winner_]);
    for (std::size_t i = 0; i < sequences_.size(); ++i) {
      if (i != winner_) parts.push_back(sequences_[i].whole.get());
    }
  } else {
    // Completions come in the order they ended, vertex in the order they were asked for.
    if (route_ == Route::vertex) std::sort(ended_.begin(), ended_.end());
    for (const std::size_t i : ended_) {
      parts.push_back(sequences_[i].whole.get());
      timings.add(sequences_[i]);
    }
  }
  const std::string body = make_whole_body(parts, std::time(nullptr));
  ResponseHead head(200);
  head.header("content-type", "application/json");
  if (route_ != Route::vertex) {
    head.header("x-compute-type", service_.options.compute_type);
    if (route_ != Route::completions) {
      head.header("x-compute-time", seconds_text(facts_.received, sequences_[winner_].ended));
    }
    head.header("x-compute-characters", timings.characters).header("x-total-time", timings.total);
    head.header("x-validation-time", timings.validation).header("x-queue-time", timings.queue);
    head.header("x-inference-time", timings.inference).header("x-time-per-token", timings.per_token);
    head.header("x-prompt-tokens", timings.prompt_tokens).header("x-generated-tokens", timings.generated_tokens);
  }
  add_common_headers(head);
  add_truth_headers(head);
  head.header("content-length", stated_length(body.size()));
  out_.bytes() = std::move(head).finish(facts_.persistence, facts_.allow_origin) + body;
  is_last_formatted_ = true;
}

/// The length of a whole body, unless a fault wants another; the connection then ends with the body.
std::uint64_t Answer::stated_length(std::size_t body_bytes) {
  if (fault_ == nullptr || fault_->rule().kind != FaultKind::wrong_content_length) return body_bytes;
  fault_->set_done();
  facts_.persistence = Persistence::close;
  const auto wrong = static_cast<std::int64_t>(body_bytes) + fault_->rule().length_error;
  return static_cast<std::uint64_t>(std::max<std::int64_t>(wrong, 0));
}

/// `stamps` tokens were handed to the kernel at `last_write_`.
void Answer::count_tokens(const Generation& sequence, std::size_t stamps) {
  const TruthRecord& truth = sequence.truth;
  const std::size_t first = truth.achieved.size() - stamps;
  face_.count([&](ServerMetrics& m) {
    if (first == 0) m.on_first_token(seconds_between(facts_.received, last_write_));
    for (std::size_t i = first; i < truth.achieved.size(); ++i) {
      m.on_token(seconds_between(sequence.whole ? truth.due.back() : truth.due[i], last_write_));
    }
  });
}

void Answer::finish() {
  is_done_ = true;
  if (service_.statsd != nullptr) tell_statsd();
  if (fault_ != nullptr) fault_->stop();
  if (comment_timer_ != nullptr) comment_timer_->cancel();
  for (std::size_t i = 0; i < sequences_.size(); ++i) {
    Generation& sequence = sequences_[i];
    service_.receivers.erase(sequence.truth.id);
    if (sequence.outcome == "ok" && (!is_best_of() || i == winner_)) record_success(sequence);
    settle_truth(sequence);
    if (service_.options.has_json_logs) log_end(sequence);
    if (service_.truth_log != nullptr) service_.truth_log->write(std::move(sequence.truth));
    // While the pool still works for this answer, its permits stand for that work.
    if (validating_ == 0) sequence.permit.reset();
  }
  on_done_();
}

/// A client that leaves while a fault holds its answer back has waited for too long; a 429 is no fault of the model.
RequestEnd Answer::meaning_of_end() const {
  const bool is_held_back = fault_ != nullptr && fault_->is_held();
  bool is_ok = !sequences_.empty();
  for (const Generation& sequence : sequences_) {
    const std::string_view outcome = sequence.outcome;
    if (outcome == label(ErrorType::queue_timeout) || (outcome == "client_gone" && is_held_back)) {
      return RequestEnd::timeout;
    }
    if (outcome == label(ErrorType::generation) || outcome == label(ErrorType::incomplete)) {
      return RequestEnd::model_error;
    }
    if (outcome == "fault" && fault_->rule().kind != FaultKind::status_429) return RequestEnd::model_error;
    is_ok = is_ok && outcome == "ok";
  }
  return is_ok ? RequestEnd::ok : RequestEnd::other;
}

void Answer::tell_statsd() {
  StatsdMeter::Ended ended{meaning_of_end(), seconds_between(facts_.received, Clock::now())};
  for (std::size_t i = 0; i < sequences_.size(); ++i) {
    // Those of best_of share one prompt.
    const bool is_new_prompt = i == 0 || sequences_[i].job != sequences_[i - 1].job;
    if (is_new_prompt) ended.input_tokens += sequences_[i].prompt_tokens;
    ended.output_tokens += sequences_[i].truth.due.size();
  }
  service_.statsd->on_end(jobs_.empty() ? service_.models.size() : jobs_.front().model_index, ended);
}

void Answer::log_end(const Generation& sequence) const {
  const TruthRecord& truth = sequence.truth;
  const TimePoint end = sequence.ended == TimePoint{} ? Clock::now() : sequence.ended;
  const LogFacts facts{truth.id,
                       truth.client_id,
                       truth.model,
                       label(truth.route),
                       sequence.outcome,
                       sequence.prompt_tokens,
                       truth.due.size(),
                       milliseconds_between(truth.received, end),
                       std::chrono::system_clock::now()};
  std::string line = make_log_line(facts);
  std::fwrite(line.data(), 1, line.size(), stderr);
}

void Answer::record_success(const Generation& sequence) {
  const TimePoint start = facts_.received;
  const SuccessTimes times{seconds_between(start, sequence.ended), seconds_between(start, sequence.queued),
                           seconds_between(sequence.queued, sequence.started_at()),
                           seconds_between(sequence.started_at(), sequence.ended)};
  const auto tokens = static_cast<std::uint32_t>(sequence.truth.due.size());
  face_.count([&](ServerMetrics& m) { m.on_success(times, tokens); });
}

}  // namespace refserver
