#include "exporters/influx_response.hpp"

#include <charconv>
#include <nlohmann/json.hpp>
#include <optional>
#include <string_view>

namespace exporters {
namespace {

constexpr std::string_view unparsable = "unable to parse '";

bool contains(std::string_view text, std::string_view part) {
  return text.find(part) != std::string_view::npos;
}

/// What an error answer says, whichever generation it comes from.
struct Complaint {
  std::string message;                         ///< of {"error": "..."} or {"message": "..."}, or the body itself
  std::optional<std::uint64_t> refused_lines;  ///< v3 lists them
};

Complaint read_complaint(const HttpAnswer& answer) {
  const auto json = nlohmann::json::parse(answer.body, nullptr, false);
  Complaint complaint{answer.body, {}};
  if (!json.is_object()) return complaint;
  for (const char* key : {"error", "message"}) {
    if (!json.contains(key) || !json[key].is_string()) continue;
    complaint.message = json[key].get<std::string>();
    break;
  }
  if (json.contains("data") && json["data"].is_array()) {
    const auto& lines = json["data"];
    complaint.refused_lines = lines.size();
    // Nothing is copied: the library does that by recursion, however deep a value is.
    if (!lines.empty() && lines[0].contains("error_message") && lines[0]["error_message"].is_string())
      complaint.message += ": " + lines[0]["error_message"].get<std::string>();
  }
  return complaint;
}

/// The number after the last "dropped=".
std::uint64_t stated_drops(std::string_view message) {
  constexpr std::string_view key = "dropped=";
  const std::size_t at = message.rfind(key);
  std::uint64_t drops = 0;
  if (at != std::string_view::npos)
    std::from_chars(message.data() + at + key.size(), message.data() + message.size(), drops);
  return drops;
}

/// Complaints about single lines: the message has one per line of its own.
std::uint64_t unparsable_lines(std::string_view message) {
  std::uint64_t lines = 0;
  for (std::size_t at = message.find(unparsable); at != std::string_view::npos; at = message.find(unparsable, at + 1)) {
    const bool is_first = lines == 0;
    if (is_first || message[at - 1] == '\n') ++lines;
  }
  return lines;
}

/// A list this long may be the beginning of a longer one.
constexpr std::uint64_t longest_complete_list = 99;

std::uint64_t count_rejected(const Complaint& complaint, std::uint64_t points) {
  const std::string_view message = complaint.message;
  // v2 puts words in front. Only at the very beginning: further on they may be a value of ours.
  const bool is_partial =
      message.starts_with("partial write") || message.starts_with("failure writing points to database: partial write");
  if (is_partial && complaint.refused_lines) {
    const std::uint64_t refused = *complaint.refused_lines;
    return refused > longest_complete_list ? points
                                           : std::clamp<std::uint64_t>(refused, 1, std::max<std::uint64_t>(points, 1));
  }
  // The limit on series refuses the whole batch whatever it says; without "partial write" nothing was stored either.
  if (!is_partial || contains(message, "max-series-per-database")) return points;
  const std::uint64_t counted = std::max(stated_drops(message), unparsable_lines(message));
  return std::clamp<std::uint64_t>(counted, 1, std::max<std::uint64_t>(points, 1));
}

InfluxAction action_for(int status, std::string_view message) {
  if (status == 0) return InfluxAction::retry;
  if (status >= 200 && status < 300) return InfluxAction::stored;
  if (status == 400 && contains(message, "database is required")) return InfluxAction::stop;
  if (status == 400 || status == 422) return InfluxAction::rejected;
  if (status == 413) return InfluxAction::split;
  if (status == 408 || status == 429) return InfluxAction::retry;
  if (status >= 500) return contains(message, "retention policy not found") ? InfluxAction::stop : InfluxAction::retry;
  return InfluxAction::stop;  // 401, 403, 404, redirects and whatever else no repetition will change
}

}  // namespace

std::string one_line(std::string text) {
  constexpr std::size_t limit = 300;
  if (text.size() > limit) text = text.substr(0, limit) + "...";
  while (!text.empty() && text.back() == '\n') text.pop_back();
  for (char& c : text)
    if (static_cast<unsigned char>(c) < 0x20) c = ' ';
  return text;
}

std::string error_message(const HttpAnswer& answer) {
  if (answer.status == 0) return one_line(answer.transport_error.empty() ? "no answer" : answer.transport_error);
  const std::string message = one_line(read_complaint(answer).message);
  const std::string status = "HTTP " + std::to_string(answer.status);
  return message.empty() ? status : status + ": " + message;
}

InfluxVerdict classify_write(const HttpAnswer& answer, std::uint64_t points) {
  const Complaint complaint = answer.status == 0 ? Complaint() : read_complaint(answer);
  InfluxVerdict verdict;
  verdict.action = action_for(answer.status, complaint.message);
  if (verdict.action == InfluxAction::stored) return verdict;
  verdict.reason = error_message(answer);
  if (verdict.action == InfluxAction::rejected) verdict.rejected = count_rejected(complaint, points);
  if (verdict.action == InfluxAction::split && points <= 1) {
    verdict.action = InfluxAction::rejected;
    verdict.rejected = points;
  }
  if (verdict.action == InfluxAction::retry && answer.retry_after.count() > 0)
    verdict.min_wait = std::min<std::chrono::milliseconds>(std::min(answer.retry_after, std::chrono::seconds(86'400)),
                                                           max_retry_after);
  return verdict;
}

}  // namespace exporters
