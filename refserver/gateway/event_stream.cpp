// Each event is read once, as JSON; what is no JSON passes and counts for nothing.
#include "refserver/gateway/event_stream.hpp"

#include <fmt/format.h>

#include "refserver/api/json_reader.hpp"
#include "refserver/api/json_writer.hpp"

namespace refserver {
namespace {

/// The data of an event that has one data line, as all of TGI's have.
std::string_view data_of(std::string_view event) {
  const std::size_t at = event.starts_with("data:") ? 0 : event.find("\ndata:");
  if (at == std::string_view::npos) return {};
  std::string_view data = event.substr(event.find(':', at) + 1);
  data = data.substr(0, data.find('\n'));
  while (!data.empty() && (data.back() == '\r' || data.back() == ' ')) data.remove_suffix(1);
  while (!data.empty() && data.front() == ' ') data.remove_prefix(1);
  return data;
}

/// What the members of one event say. Views into the event.
struct EventFacts {
  bool has_token = false;
  bool has_error = false;
  std::optional<std::uint64_t> index;
  std::string_view text;     ///< generated_text with its quotes: only the last event has one
  std::string_view details;  ///< an object, or empty
  std::string_view usage;
};

bool read_facts(std::string_view data, EventFacts& facts) {
  JsonReader json(data);
  for (bool open = json.begin_object("an event"); open && json.next_key();) {
    const std::string key(json.key());
    const char first = json.peek();
    const std::string_view raw = json.read_raw();
    if (json.failed()) break;
    if (key == "token" && first == '{') facts.has_token = true;
    if (key == "choices" && raw != "[]") facts.has_token = true;
    if (key == "error") facts.has_error = true;
    if (key == "generated_text" && first == '"') facts.text = raw;
    if (key == "details" && first == '{') facts.details = raw;
    if (key == "usage" && first == '{') facts.usage = raw;
    if (key == "index") {
      JsonReader number(raw);
      const std::uint64_t index = number.read_u64();
      if (!number.failed()) facts.index = index;
    }
  }
  return !json.failed();
}

std::optional<std::uint64_t> number_in(std::string_view object, std::string_view name) {
  std::optional<std::uint64_t> found;
  JsonReader json(object);
  for (bool open = !object.empty() && json.begin_object("an object"); open && json.next_key();) {
    if (json.key() == name && json.peek() >= '0' && json.peek() <= '9') {
      found = json.read_u64();
    } else {
      json.skip_value();
    }
  }
  return json.failed() ? std::nullopt : found;
}

}  // namespace

std::optional<std::string_view> EventCutter::next() {
  for (std::size_t at = pending_.find('\n', looked_); at != std::string::npos; at = pending_.find('\n', at + 1)) {
    const std::string_view line(pending_.data() + begin_, at - begin_);
    const bool is_blank = line.empty() || line == "\r" || line.ends_with('\n') || line.ends_with("\n\r");
    if (!is_blank) continue;
    const std::string_view event(pending_.data() + begin_, at + 1 - begin_);
    begin_ = looked_ = at + 1;
    return event;
  }
  pending_.erase(0, begin_);
  begin_ = 0;
  looked_ = pending_.size();
  return std::nullopt;
}

void StreamWatcher::see(std::string_view bytes) {
  if (is_blind_) return;
  cutter_.add(bytes);
  while (const auto event = cutter_.next()) {
    EventFacts facts;
    if (!read_facts(data_of(*event), facts)) continue;
    has_error_ = has_error_ || facts.has_error;
    if (facts.has_token) tally_.output = tally_.output.value_or(0) + 1;
    if (const auto input = number_in(facts.details, "input_length")) tally_.input = input;
    if (const auto input = number_in(facts.usage, "prompt_tokens")) tally_.input = input;
    if (const auto output = number_in(facts.details, "generated_tokens")) tally_.output = output;
    if (const auto output = number_in(facts.usage, "completion_tokens")) tally_.output = output;
  }
  is_blind_ = cutter_.rest().size() > limit_bytes_;
  if (is_blind_) cutter_ = {};
}

bool ScenarioStream::rewrite(std::string_view bytes, std::string& out) {
  cutter_.add(bytes);
  while (const auto event = cutter_.next()) append_event(*event, out);
  return cutter_.rest().size() <= limit_bytes_;
}

void ScenarioStream::append_event(std::string_view event, std::string& out) const {
  EventFacts facts;
  const std::string_view data = data_of(event);
  const bool is_last = !data.empty() && read_facts(data, facts) && !facts.text.empty();
  if (!is_last) {
    out += event;
    return;
  }
  const auto tokens = number_in(facts.details, "generated_tokens");
  std::string changed(data);
  if (!wants_details_ && !facts.details.empty()) {
    changed.replace(static_cast<std::size_t>(facts.details.data() - data.data()), facts.details.size(), "null");
  }
  changed.erase(changed.rfind('}'));
  changed += R"(,"model":)";
  append_json_string(model_, changed);
  changed += fmt::format(R"(,"tokens":{}}})", tokens.value_or(facts.index.value_or(0)));
  out += event.substr(0, static_cast<std::size_t>(data.data() - event.data()));
  out += changed;
  out += event.substr(static_cast<std::size_t>(data.data() + data.size() - event.data()));
}

}  // namespace refserver
