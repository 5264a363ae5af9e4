// The hot path is on_token -> flush: format into a reused buffer, one stamp, one send.
#include "refserver/http/generation.hpp"

#include <algorithm>
#include <boost/asio/write.hpp>
#include <ctime>
#include <utility>

#include "refserver/api/server_answers.hpp"

namespace refserver {
namespace {

namespace asio = boost::asio;

std::uint64_t milliseconds_between(TimePoint from, TimePoint to) {
  return static_cast<std::uint64_t>(std::chrono::duration_cast<std::chrono::milliseconds>(to - from).count());
}

/// A seed nobody can tell from a random one, without asking the system for randomness per request (splitmix64).
std::uint64_t make_seed(RequestId id, TimePoint received) {
  std::uint64_t x = static_cast<std::uint64_t>(received.time_since_epoch().count()) + id * 0x9E3779B97F4A7C15U;
  x = (x ^ (x >> 30U)) * 0xBF58476D1CE4E5B9U;
  x = (x ^ (x >> 27U)) * 0x94D049BB133111EBU;
  return x ^ (x >> 31U);
}

}  // namespace

Generation::Generation(Service& service, std::shared_ptr<Socket> socket, RequestFacts facts,
                       std::function<void()> on_done)
    : service_(service),
      socket_(std::move(socket)),
      facts_(std::move(facts)),
      on_done_(std::move(on_done)),
      last_write_(facts_.received),
      out_(facts_.framing) {
  truth_.id = ++service_.last_id;
  truth_.route = facts_.route;
  truth_.client_id = facts_.client_id;
  truth_.received = facts_.received;
}

Generation::~Generation() {
  service_.generations.erase(truth_.id);
}

void Generation::start(GenerateRequest request) {
  service_.metrics.on_request();
  if (auto error = service_.validator.refuse_early(request)) return refuse(*error);
  shape_.route = request.route;
  shape_.is_stream = request.stream;
  permit_ = service_.admission.try_enter();
  if (!permit_) return refuse({ErrorType::overloaded, "Model is overloaded"});
  auto valid = service_.validator.validate(std::move(request), make_seed(truth_.id, facts_.received));
  if (!valid) return refuse(valid.error());
  submit(std::move(*valid));
}

void Generation::submit(ValidatedRequest valid) {
  const std::uint32_t max_new_tokens = valid.request.max_new_tokens;
  truth_.model = service_.models[valid.request.model].name;
  truth_.prompt_tokens = valid.request.prompt_tokens;
  truth_.due.reserve(max_new_tokens);
  truth_.achieved.reserve(valid.shape.is_stream ? max_new_tokens : 1);
  if (!service_.work.try_submit({truth_.id, facts_.received, std::move(valid.request)})) {
    return refuse({ErrorType::overloaded, "Model is overloaded"});
  }
  service_.generations.emplace(truth_.id, this);
  queued_ = Clock::now();
  service_.metrics.on_valid(seconds_between(facts_.received, queued_), truth_.prompt_tokens, max_new_tokens);
  service_.metrics.set_running(service_.admission.in_use());
  shape_ = std::move(valid.shape);
  if (shape_.is_stream) {
    send_stream_head();
    stream_ = make_stream_format(shape_);
    flush();
  } else {
    whole_ = make_whole_format(shape_);
  }
}

void Generation::send_stream_head() {
  ResponseHead head(200);
  head.header("content-type", "text/event-stream").header("cache-control", "no-cache");
  head.header("x-compute-type", service_.options.compute_type);
  if (shape_.prompt_tokens > 0) head.header("x-compute-characters", shape_.prompt_characters);
  head.header("x-accel-buffering", "no");
  if (facts_.framing == Framing::chunked) {
    head.header("transfer-encoding", "chunked");
  } else {
    facts_.persistence = Persistence::close;
  }
  out_.bytes() += std::move(head).finish(facts_.persistence);
}

void Generation::refuse(const Error& error) {
  service_.metrics.on_refused(error.type);
  outcome_ = label(error.type);
  if (shape_.is_stream) {
    send_stream_head();
    append_stream_error(shape_.route, error, out_);
    out_.finish();
  } else {
    const ErrorBody body = make_error_body(error);
    ResponseHead head(http_status(error.type));
    head.header("content-type", body.content_type).header("content-length", body.body.size());
    out_.bytes() = std::move(head).finish(facts_.persistence) + body.body;
  }
  is_last_formatted_ = true;
  flush();
}

void Generation::on_token(const TokenEvent& event) {
  if (is_done_) return;
  truth_.due.push_back(event.due);
  is_last_formatted_ = event.finish.has_value();
  if (whole_) {
    whole_->add(event);
    if (!is_last_formatted_) return;
    out_.bytes() = make_whole_answer(Clock::now());
  } else {
    stream_->append(event, std::time(nullptr), out_);
    if (is_last_formatted_) out_.finish();
  }
  ++unstamped_;
  if (!write_deadline_) {
    flush();
  } else if (out_.bytes().size() > service_.options.stream_backlog_bytes) {
    abandon("slow_reader");
  }
}

std::string Generation::make_whole_answer(TimePoint now) const {
  const std::string body = whole_->body(std::time(nullptr));
  const auto tokens = static_cast<std::uint64_t>(truth_.due.size());
  ResponseHead head(200);
  head.header("content-type", "application/json");
  head.header("x-compute-type", service_.options.compute_type);
  if (facts_.route != Route::completions) {
    head.header("x-compute-time", std::to_string(seconds_between(facts_.received, now)));
  }
  head.header("x-compute-characters", shape_.prompt_characters);
  head.header("x-total-time", milliseconds_between(facts_.received, now));
  head.header("x-validation-time", milliseconds_between(facts_.received, queued_));
  head.header("x-queue-time", std::uint64_t{0});  // the simulated engine takes everything at once
  head.header("x-inference-time", milliseconds_between(queued_, now));
  head.header("x-time-per-token", milliseconds_between(queued_, now) / tokens);
  head.header("x-prompt-tokens", std::uint64_t{shape_.prompt_tokens});
  head.header("x-generated-tokens", tokens);
  head.header("content-length", body.size());
  return std::move(head).finish(facts_.persistence) + body;
}

void Generation::flush() {
  std::string& bytes = out_.bytes();
  const std::size_t tokens = std::exchange(unstamped_, 0);
  const std::size_t stamps = whole_ ? std::min<std::size_t>(tokens, 1) : tokens;
  last_write_ = Clock::now();
  truth_.achieved.insert(truth_.achieved.end(), stamps, last_write_);
  boost::system::error_code ec;
  const std::size_t written = socket_->write_some(asio::buffer(bytes), ec);
  count_tokens(stamps);
  if (ec && ec != asio::error::would_block && ec != asio::error::try_again) return abandon("client_gone");
  if (ec || written < bytes.size()) return write_rest(ec ? 0 : written);
  bytes.clear();
  if (is_last_formatted_) finish(outcome_);
}

void Generation::count_tokens(std::size_t stamps) {
  if (stamps == 0) return;
  const std::size_t first = truth_.achieved.size() - stamps;
  if (first == 0) service_.metrics.on_first_token(seconds_between(facts_.received, last_write_));
  for (std::size_t i = first; i < truth_.achieved.size(); ++i) {
    service_.metrics.on_token(seconds_between(whole_ ? truth_.due.back() : truth_.due[i], last_write_));
  }
}

void Generation::write_rest(std::size_t written) {
  writing_.assign(out_.bytes(), written);
  out_.bytes().clear();
  write_deadline_ = last_write_ + service_.options.write_timeout;
  asio::async_write(*socket_, asio::buffer(writing_),
                    [self = shared_from_this()](const boost::system::error_code& ec, std::size_t /*bytes*/) {
                      if (self->is_done_) return;
                      self->write_deadline_.reset();
                      if (ec) return self->abandon("client_gone");
                      if (!self->out_.bytes().empty()) return self->flush();
                      if (self->is_last_formatted_) self->finish(self->outcome_);
                    });
}

void Generation::abandon(std::string_view outcome) {
  if (is_done_) return;
  is_broken_ = true;
  if (service_.generations.contains(truth_.id)) service_.work.cancel(truth_.id);
  if (outcome_ == "ok") service_.metrics.on_dropped();
  boost::system::error_code ignored;
  socket_->close(ignored);
  finish(outcome);
}

void Generation::on_tick(TimePoint now) {
  if (is_done_) return;
  if (write_deadline_) {
    if (now >= *write_deadline_) abandon("slow_reader");
  } else if (stream_ && now - last_write_ >= service_.options.keep_alive_interval) {
    out_.add_keep_alive();
    flush();
  }
}

void Generation::finish(std::string_view outcome) {
  is_done_ = true;
  service_.generations.erase(truth_.id);
  permit_.reset();
  service_.metrics.set_running(service_.admission.in_use());
  if (outcome == "ok") record_success(Clock::now());
  truth_.outcome = outcome;
  if (service_.truth_log != nullptr) service_.truth_log->write(std::move(truth_));
  on_done_();
}

void Generation::record_success(TimePoint now) {
  service_.metrics.on_success(seconds_between(facts_.received, now), seconds_between(queued_, now),
                              static_cast<std::uint32_t>(truth_.due.size()));
}

}  // namespace refserver
