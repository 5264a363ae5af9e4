// The questions asked of an InfluxDB server before a run relies on it.
#include <map>
#include <set>
#include <utility>

#include "exporters/influx_sink.hpp"

namespace exporters {
namespace {

using Outcome = Result<void, std::string>;

Outcome fail(const InfluxTarget& target, const std::string& cause) {
  return {boost::system::in_place_error, "InfluxDB at " + target.url.text() + ": " + cause};
}

/// What the thing that points go into is called.
std::string noun(const InfluxTarget& target) {
  return target.api == InfluxApi::v2 ? "bucket" : "database";
}

/// A write of nothing: it passes the checks of database, user and permission and stores nothing.
HttpAnswer try_empty_write(HttpClient& client, const InfluxTarget& target) {
  return client.post(write_path(target), "text/plain; charset=utf-8", "");
}

Outcome create_database(HttpClient& client, const InfluxTarget& target) {
  const std::string query = "CREATE DATABASE " + influxql_identifier(target.url.database);
  const std::string error =
      influxql_error(client.post("/query", "application/x-www-form-urlencoded", "q=" + percent_encoded(query)));
  if (error.empty()) return {};
  return fail(target,
              "the database does not exist and could not be created (" + error + "); create it or give a user who may");
}

/// v2 and v3 get as far as to see that nothing was sent, and say so with a 400.
bool complains_of_emptiness(const InfluxTarget& target, const HttpAnswer& answer) {
  if (target.api == InfluxApi::v1 || answer.status != 400) return false;
  return answer.body.find("writing requires points") != std::string::npos ||
         answer.body.find("write was empty") != std::string::npos;
}

std::string wrong_generation(const InfluxTarget& target, const std::string& message) {
  return "there is no " + write_path(target).substr(0, write_path(target).find('?')) + " (" + message +
         "): another generation of InfluxDB than " + std::string(label(target.api)) + "?";
}

Outcome judge_write(const HttpAnswer& answer, const InfluxTarget& target) {
  if ((answer.status >= 200 && answer.status < 300) || complains_of_emptiness(target, answer)) return {};
  const std::string message = error_message(answer);
  switch (answer.status) {
    case 401:
      return fail(target, (target.api == InfluxApi::v1 ? "user, password or token are" : "the token is") +
                              std::string(" missing or wrong (") + message + ")");
    case 403:
      return fail(target, "this user may not write to the " + noun(target) + " (" + message + "); grant WRITE");
    case 404:
    case 405:
      if (message.find("page not found") != std::string::npos || answer.status == 405)
        return fail(target, wrong_generation(target, message));
      return fail(target, "the " + noun(target) + " does not exist (" + message + "); create it first");
    default:
      if (message.find("retention policy not found") != std::string::npos)
        return fail(target, "there is no retention policy " + target.retention_policy + " (" + message +
                                "); create it or write into the default one");
      return fail(target, "a write was not accepted (" + message + ")");
  }
}

Outcome check_writing(const InfluxTarget& target, DatabasePolicy policy) {
  HttpClient client({target.url.server(), credentials_for(target), target.request_timeout, {}, 65'536});
  const HttpAnswer ping = client.get("/ping");
  if (ping.status == 0) return fail(target, "cannot be reached (" + error_message(ping) + ")");
  // v3 wants to know who asks even here; the write will say what is wrong with that.
  const bool is_alive = ping.status == 204 || ping.status == 200 || (target.api == InfluxApi::v3 && ping.status == 401);
  if (!is_alive) return fail(target, "does not answer /ping like InfluxDB (" + error_message(ping) + ")");
  HttpAnswer answer = try_empty_write(client, target);
  const bool may_create = target.api == InfluxApi::v1 && policy == DatabasePolicy::create_if_missing;
  if (answer.status == 404 && may_create) {
    if (auto created = create_database(client, target); !created) return created;
    answer = try_empty_write(client, target);
  }
  return judge_write(answer, target);
}

Outcome check_fields(const InfluxTarget& target, const std::vector<FieldUse>& fields, std::vector<std::string>& notes) {
  if (fields.empty()) return {};
  std::set<std::string> measurements;
  std::map<std::pair<std::string, std::string>, FieldType> ours;
  for (const FieldUse& use : fields) {
    measurements.insert(use.measurement);
    ours[{use.measurement, use.field}] = use.type;
  }
  const auto theirs = ask_field_types(target, {measurements.begin(), measurements.end()});
  if (!theirs) {
    notes.push_back("InfluxDB: the types of its fields could not be checked: " + theirs.error());
    return {};
  }
  for (const FieldUse& use : *theirs) {
    const auto same = ours.find({use.measurement, use.field});
    if (same == ours.end() || same->second == use.type) continue;
    return fail(target, "field " + use.measurement + "." + use.field + " is " + std::string(label(use.type)) +
                            " there and " + std::string(label(same->second)) +
                            " here, so its points would be refused; write to another " + noun(target) +
                            ", or drop the measurement " + use.measurement);
  }
  return {};
}

}  // namespace

Result<std::vector<std::string>, std::string> preflight(const InfluxTarget& target, DatabasePolicy policy,
                                                        const std::vector<FieldUse>& fields) {
  std::vector<std::string> notes;
  if (auto checked = check_writing(target, policy); !checked) return {boost::system::in_place_error, checked.error()};
  if (auto checked = check_fields(target, fields, notes); !checked)
    return {boost::system::in_place_error, checked.error()};
  return notes;
}

}  // namespace exporters
