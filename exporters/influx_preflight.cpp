// The questions asked of an InfluxDB server before a run relies on it.
#include <nlohmann/json.hpp>

#include "exporters/influx_sink.hpp"

namespace exporters {
namespace {

using Outcome = Result<void, std::string>;

Outcome fail(const InfluxTarget& target, const std::string& cause) {
  return {boost::system::in_place_error, "InfluxDB at " + target.url.text() + ": " + cause};
}

/// Errors of a statement come with status 200, inside the body.
std::string statement_error(const HttpAnswer& answer) {
  if (answer.status != 200) return error_message(answer);
  const auto json = nlohmann::json::parse(answer.body, nullptr, false);
  if (!json.is_object() || !json.contains("results") || !json["results"].is_array())
    return "unexpected answer to a query";
  for (const auto& result : json["results"])
    if (result.is_object() && result.contains("error")) return result["error"].dump();
  return {};
}

/// A write of nothing: it passes the checks of database, user and permission and stores nothing.
HttpAnswer try_empty_write(HttpClient& client, const InfluxTarget& target) {
  return client.post("/write?db=" + target.url.database + "&precision=ns", "text/plain; charset=utf-8", "");
}

Outcome create_database(HttpClient& client, const InfluxTarget& target) {
  // The name is made of [A-Za-z0-9_.-] (parse_influx_url), so it needs no escaping in either language.
  const std::string query = "q=CREATE%20DATABASE%20%22" + target.url.database + "%22";
  const std::string error = statement_error(client.post("/query", "application/x-www-form-urlencoded", query));
  if (error.empty()) return {};
  return fail(target,
              "the database does not exist and could not be created (" + error + "); create it or give a user who may");
}

Outcome judge_write(const HttpAnswer& answer, const InfluxTarget& target) {
  if (answer.status >= 200 && answer.status < 300) return {};
  const std::string message = error_message(answer);
  switch (answer.status) {
    case 401:
      return fail(target, "user, password or token are missing or wrong (" + message + ")");
    case 403:
      return fail(target, "this user may not write to the database (" + message + "); grant WRITE");
    case 404:
      return fail(target, "the database does not exist (" + message + "); create it first");
    default:
      return fail(target, "a write was not accepted (" + message + ")");
  }
}

}  // namespace

Outcome preflight(const InfluxTarget& target, DatabasePolicy policy) {
  HttpClient client({target.url.server(), target.credentials, target.request_timeout, {}, 65'536});
  const HttpAnswer ping = client.get("/ping");
  if (ping.status == 0) return fail(target, "cannot be reached (" + error_message(ping) + ")");
  if (ping.status != 204 && ping.status != 200)
    return fail(target, "does not answer /ping like InfluxDB (" + error_message(ping) + ")");
  HttpAnswer answer = try_empty_write(client, target);
  if (answer.status == 404 && policy == DatabasePolicy::create_if_missing) {
    if (auto created = create_database(client, target); !created) return created;
    answer = try_empty_write(client, target);
  }
  return judge_write(answer, target);
}

}  // namespace exporters
