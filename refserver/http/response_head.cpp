// Appends to one string.
#include "refserver/http/response_head.hpp"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <ctime>

namespace refserver {
namespace {

std::string_view reason(int status) {
  switch (status) {
    case 200:
      return "OK";
    case 400:
      return "Bad Request";
    case 401:
      return "Unauthorized";
    case 404:
      return "Not Found";
    case 405:
      return "Method Not Allowed";
    case 408:
      return "Request Timeout";
    case 413:
      return "Payload Too Large";
    case 415:
      return "Unsupported Media Type";
    case 422:
      return "Unprocessable Entity";
    case 424:
      return "Failed Dependency";
    case 429:
      return "Too Many Requests";
    case 431:
      return "Request Header Fields Too Large";
    case 500:
      return "Internal Server Error";
    case 503:
      return "Service Unavailable";
    default:
      return "";
  }
}

/// The date header changes once a second; every response between uses the same text.
const std::string& current_date() {
  thread_local std::int64_t second = -1;
  thread_local std::string text;
  const std::int64_t now = std::time(nullptr);
  if (now != second) {
    second = now;
    text = http_date(now);
  }
  return text;
}

}  // namespace

std::string http_date(std::int64_t unix_seconds) {
  static constexpr std::string_view kDays[] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
  static constexpr std::string_view kMonths[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                                 "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  const std::tm t = fmt::gmtime(static_cast<std::time_t>(unix_seconds));
  return fmt::format("{}, {:02} {} {} {:02}:{:02}:{:02} GMT", kDays[t.tm_wday], t.tm_mday, kMonths[t.tm_mon],
                     1900 + t.tm_year, t.tm_hour, t.tm_min, t.tm_sec);
}

ResponseHead::ResponseHead(int status) {
  bytes_.reserve(512);
  bytes_ += "HTTP/1.1 ";
  bytes_ += fmt::format_int(status).c_str();
  bytes_ += ' ';
  bytes_ += reason(status);
  bytes_ += "\r\n";
}

ResponseHead& ResponseHead::header(std::string_view name, std::string_view value) {
  bytes_ += name;
  bytes_ += ": ";
  bytes_ += value;
  bytes_ += "\r\n";
  return *this;
}

ResponseHead& ResponseHead::header(std::string_view name, std::uint64_t value) {
  return header(name, std::string_view(fmt::format_int(value).c_str()));
}

std::string ResponseHead::finish(Persistence persistence, std::string_view allow_origin) && {
  if (!allow_origin.empty()) header("access-control-allow-origin", allow_origin);
  header("vary", "origin, access-control-request-method, access-control-request-headers");
  if (persistence == Persistence::close) header("connection", "close");
  if (persistence == Persistence::keep_stated) header("connection", "keep-alive");
  header("date", current_date());
  bytes_ += "\r\n";
  return std::move(bytes_);
}

}  // namespace refserver
