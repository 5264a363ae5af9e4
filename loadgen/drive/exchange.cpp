// Receive stamps are those of the read that brought the bytes: the kernel's where it gives one. Everything completed by
// one read shares its stamp.
#include "loadgen/drive/exchange.hpp"

#include <algorithm>
#include <cerrno>
#include <system_error>

namespace loadgen {
namespace {

constexpr std::size_t whole_body_limit_bytes = 64 * 1024 * 1024;
constexpr std::size_t error_body_limit_bytes = 64 * 1024;
constexpr std::size_t kept_events = 65536;
constexpr std::size_t event_limit = 262'144;  ///< of a stream for which not half as many tokens were asked

}  // namespace

Outcome connection_outcome(int error, bool connected) noexcept {
  for (const int ours : {EADDRNOTAVAIL, EMFILE, ENFILE, ENOBUFS, ENOMEM}) {
    if (error == ours) return Outcome::client_resource;
  }
  return connected ? Outcome::reset : Outcome::connect;
}

void Exchange::prepare(const MixEntry& entry, const Timeouts& timeouts) {
  entry_ = &entry;
  timeouts_ = timeouts;
  record.clear();
  record.requested_tokens = entry.parameters.max_new_tokens;
  record.streamed = entry.delivery == Delivery::stream;
  if (record.streamed) record.events.reserve(std::min<std::size_t>(entry.parameters.max_new_tokens, kept_events));
  if (has_intake_) let_go_of_intake();
  whole_ = {};
  asked_framing_ = !record.streamed ? Framing::none : entry.endpoint ? entry.endpoint->framing : Framing::sse;
  decides_by_type_ = entry.endpoint == nullptr;
  framing_ = Framing::none;
  head_seen_ = over_ = usable_ = has_just_begun_ = false;
  deadline_ns_ = INT64_MAX;
  last_stamp_ns_ = usual_gap_ns_ = 0;
  events_read_ = 0;
}

Intake& Exchange::intake() {
  if (has_intake_) return *intake_;
  if (!intake_) intake_ = intakes != nullptr ? intakes->take() : std::make_unique<Intake>();
  intake_->start(*entry_, record);
  has_intake_ = true;
  return *intake_;
}

void Exchange::let_go_of_intake() {
  has_intake_ = false;
  if (intakes != nullptr) intakes->put_back(std::move(intake_));
}

void Exchange::on_connecting() noexcept {
  record.new_connection = true;
  deadline_ns_ = record.stamps.dispatch + timeouts_.connect.count();
}

void Exchange::on_connected(std::int64_t at_ns) noexcept {
  record.stamps.connected = at_ns;
  deadline_ns_ = INT64_MAX;
}

void Exchange::on_connect_failed(int error, const std::string& why, std::int64_t at_ns) {
  cut(connection_outcome(error, false), "connect: " + (why.empty() ? std::system_category().message(error) : why),
      at_ns);
}

void Exchange::on_sending(std::int64_t at_ns) noexcept {
  record.stamps.send = last_stamp_ns_ = at_ns;
  const std::int64_t total = at_ns + timeouts_.total.count();
  deadline_ns_ = record.streamed ? std::min(total, at_ns + timeouts_.first_token.count()) : total;
}

void Exchange::on_bytes(std::string_view bytes, const Arrival& arrival) {
  note_arrival(arrival);
  record.response_bytes += bytes.size();
  take_in(bytes, arrival);
  if (over_) let_go_of_intake();
}

void Exchange::take_in(std::string_view bytes, const Arrival& arrival) {
  HttpParser& http = intake().http;
  const std::size_t before = record.events.size();
  const std::size_t used = http.feed(bytes, [&](std::string_view part) {
    if (!head_seen_) on_head(arrival.at_ns);
    on_body(part, arrival.at_ns);
  });
  if (http.has_head() && !head_seen_) on_head(arrival.at_ns);
  events_read_ = record.events.size() - before;
  has_just_begun_ = before == 0 && events_read_ > 0;
  if (events_read_ > 0) on_tokens(before, arrival);
  if (record.events.size() > std::max<std::size_t>(event_limit, 2UL * record.requested_tokens)) {
    end_cut(Outcome::malformed, "the stream does not end: far more tokens came than were asked for", arrival.at_ns);
    return;
  }
  if (http.state() == HttpParser::State::malformed) {
    end_cut(Outcome::malformed, http.error(), arrival.at_ns);
  } else if (record.outcome == Outcome::malformed) {
    end_cut(Outcome::malformed, "malformed answer", arrival.at_ns);
  } else if (http.state() == HttpParser::State::complete) {
    on_end(arrival.at_ns);
    usable_ = http.head().keep_alive && used == bytes.size();  // stray bytes would become the next answer's
  }
}

void Exchange::note_arrival(const Arrival& arrival) noexcept {
  last_stamp_ns_ = arrival.at_ns;
  record.recv_delay_max_ns = std::max(record.recv_delay_max_ns, arrival.delay_ns());
  if (!arrival.is_kernel_stamp) record.stamp_source = StampSource::user;
}

void Exchange::on_tokens(std::size_t from_event, const Arrival& arrival) {
  if (from_event == 0) {
    record.recv_delay_first_ns = arrival.delay_ns();
    deadline_ns_ = record.stamps.send + timeouts_.total.count();
  } else {
    note_gap(from_event, arrival.at_ns);
  }
  if (events_read_ > 1) record.coalesced_events += static_cast<std::uint32_t>(events_read_);
  if (live_tokens == nullptr) return;
  // A token-bearing event whose count is not known (yet) is at least one token.
  std::uint64_t tokens = 0;
  for (std::size_t i = from_event; i < record.events.size(); ++i) tokens += std::max(record.events[i].tokens, 1U);
  live_tokens->store(live_tokens->load(std::memory_order_relaxed) + tokens, std::memory_order_relaxed);
}

/// Events that shared a read came one by one somewhere between the read before and this one.
void Exchange::note_gap(std::size_t from_event, std::int64_t at_ns) noexcept {
  constexpr std::int64_t weight = 8;  // of what was known before, beside one new gap: minus one
  const auto events = static_cast<std::int64_t>(events_read_);
  const std::int64_t gap = (at_ns - record.events[from_event - 1].at_ns) / events;
  usual_gap_ns_ = usual_gap_ns_ == 0 ? gap : usual_gap_ns_ + (gap - usual_gap_ns_) / weight;
}

void Exchange::on_head(std::int64_t at_ns) {
  head_seen_ = true;
  const ResponseHead& head = intake_->http.head();
  record.stamps.headers = at_ns;
  // The kernel had the whole request before the answer came, whenever this thread got to look at its clock.
  record.stamps.sent = std::min(record.stamps.sent, at_ns);
  record.http_status = static_cast<std::uint16_t>(head.status);
  if (head.prompt_tokens) record.input_tokens = head.prompt_tokens;
  framing_ = framing_of_answer();
  if (head.status == 200 && !head.content_encoding.empty()) {
    intake_->answer.finish_cut(
        Outcome::malformed,
        "the answer is compressed (content-encoding: " + head.content_encoding + "), which was not asked for", at_ns);
  }
}

/// Routes say by the content type whether they stream. Servers behind a template are less careful with it: lines of
/// JSON come under many names, and only what is plainly one JSON text is not taken for events.
Framing Exchange::framing_of_answer() const noexcept {
  const ResponseHead& head = intake_->http.head();
  if (head.status != 200) return Framing::none;
  const bool is_sse = head.content_type == "text/event-stream";
  if (decides_by_type_) return is_sse ? Framing::sse : Framing::none;
  if (asked_framing_ == Framing::sse && head.content_type == "application/json") return Framing::none;
  return asked_framing_;
}

void Exchange::on_body(std::string_view part, std::int64_t at_ns) {
  AnswerReader& answer = intake_->answer;
  const auto on_event = [&](std::string_view data) { answer.on_event(data, at_ns); };
  if (framing_ != Framing::none) {
    intake_->has_events = true;
    const bool fits =
        framing_ == Framing::sse ? intake_->sse.feed(part, on_event) : intake_->lines.feed(part, on_event);
    if (!fits) answer.finish_cut(Outcome::malformed, "an event is longer than 16 MiB", at_ns);
    return;
  }
  std::string& body = intake_->body;
  const std::size_t limit = record.http_status == 200 ? whole_body_limit_bytes : error_body_limit_bytes;
  const std::size_t room = limit - body.size();
  if (body.empty() && part.size() <= room && intake_->http.is_rest_of_body(part)) {
    whole_ = part;
    return;
  }
  body.append(part.substr(0, room));
  if (part.size() > room && record.http_status == 200)
    answer.finish_cut(Outcome::malformed, "the body is longer than 64 MiB", at_ns);
}

void Exchange::on_end(std::int64_t at_ns) {
  AnswerReader& answer = intake_->answer;
  const ResponseHead& head = intake_->http.head();
  const int status = record.http_status;
  const bool is_stream = framing_ != Framing::none;
  if (framing_ == Framing::ndjson) intake_->lines.finish([&](std::string_view data) { answer.on_event(data, at_ns); });
  if (status != 200) {
    answer.on_error_body(error_text(), status);
  } else if (record.streamed && !is_stream) {
    answer.on_error_body("asked for a stream, got content-type '" + head.content_type + "'", status);
  } else if (!record.streamed && is_stream) {
    answer.on_error_body("asked for one body, got a stream", status);
  } else if (!record.streamed) {
    answer.on_whole_body(body());
  }
  if (record.truth.empty()) record.truth = is_stream ? intake_->sse.truth() : head.truth;
  answer.finish_complete(at_ns);
  if (!record.streamed && record.token_source != TokenSource::server_usage && head.generated_tokens) {
    record.output_tokens = *head.generated_tokens;
    record.token_source = TokenSource::server_usage;
  }
  over_ = true;
}

/// The body of an answer that is none; for redirects, which are not followed, where they point.
std::string Exchange::error_text() const {
  const ResponseHead& head = intake_->http.head();
  if (!head.location.empty()) return "a redirect to " + head.location + ", which is not followed: use it as the target";
  return head.content_encoding.empty() ? std::string(body()) : std::string();  // compressed bytes say nothing
}

void Exchange::on_closed(int error, const std::string& why, std::int64_t at_ns) {
  HttpParser& http = intake().http;
  if (error == 0) http.feed_eof();
  if (http.state() == HttpParser::State::complete) {
    on_end(at_ns);
    return let_go_of_intake();
  }
  const bool has_bytes = last_stamp_ns_ > record.stamps.send;  // of the answer, be it half of a head
  const Outcome resource = connection_outcome(error, true);
  const Outcome outcome = resource == Outcome::client_resource ? resource
                          : has_bytes                          ? Outcome::truncated
                                                               : Outcome::reset;
  std::string words = error == 0     ? "the server closed the connection"
                      : !why.empty() ? why
                                     : std::system_category().message(error);
  if (outcome == Outcome::reset && !record.new_connection)
    words += ", which it had kept open after an answer: where it closes idle ones, use an --idle-timeout below its own";
  cut(outcome, std::move(words), at_ns);
}

void Exchange::cut_at_deadline(std::int64_t at_ns) {
  if (record.stamps.send == 0) {
    cut(Outcome::timeout_connect, "no connection within the connect timeout", at_ns);
  } else if (record.streamed && record.events.empty() && at_ns - record.stamps.send < timeouts_.total.count()) {
    cut(Outcome::timeout_ttft, "no token within the first-token timeout", at_ns);
  } else {
    cut(Outcome::timeout_total, "not finished within the total timeout", at_ns);
  }
}

void Exchange::cut(Outcome outcome, std::string why, std::int64_t at_ns) {
  if (over_) return;
  end_cut(outcome, std::move(why), at_ns);
  let_go_of_intake();
}

void Exchange::end_cut(Outcome outcome, std::string why, std::int64_t at_ns) {
  intake().answer.finish_cut(outcome, std::move(why), at_ns);
  over_ = true;
}

}  // namespace loadgen
