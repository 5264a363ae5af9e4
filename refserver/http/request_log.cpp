// Texts that came from a client are escaped; nothing of a prompt or an answer is ever logged.
#include "refserver/http/request_log.hpp"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include "refserver/api/json_writer.hpp"

namespace refserver {

std::string make_log_line(const LogFacts& facts) {
  const auto since = facts.time.time_since_epoch();
  const auto seconds = std::chrono::floor<std::chrono::seconds>(since);
  const auto micros = std::chrono::duration_cast<std::chrono::microseconds>(since - seconds).count();
  const bool is_fine = facts.outcome == "ok" || facts.outcome == "client_gone" || facts.outcome == "shutdown";
  std::string out =
      fmt::format(R"({{"timestamp":"{:%Y-%m-%dT%H:%M:%S}.{:06}Z","level":"{}","message":)",
                  fmt::gmtime(static_cast<std::time_t>(seconds.count())), micros, is_fine ? "INFO" : "ERROR");
  append_json_string(facts.outcome == "ok" ? "Success" : facts.outcome, out);
  out += fmt::format(R"(,"target":"refserver","id":{},"request_id":)", facts.id);
  if (facts.client_id) {
    append_json_string(*facts.client_id, out);
  } else {
    out += "null";
  }
  out += R"(,"route":)";
  append_json_string(facts.route, out);
  out += R"(,"model":)";
  append_json_string(facts.model, out);
  return out +
         fmt::format(R"(,"prompt_tokens":{},"generated_tokens":{},"total_time_ms":{}}})", facts.prompt_tokens,
                     facts.generated_tokens, facts.total_ms) +
         "\n";
}

}  // namespace refserver
