// Writes line protocol into an InfluxDB of any generation over HTTP, from a thread of its own, and accounts for every
// point.
// Knows no schema: a record of a batch is one line.
#pragma once

#include <chrono>
#include <cstddef>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "exporters/batch_queue.hpp"
#include "exporters/influx_query.hpp"
#include "exporters/influx_response.hpp"
#include "exporters/influx_target.hpp"
#include "exporters/result.hpp"
#include "exporters/sink.hpp"

namespace exporters {

enum class DatabasePolicy : std::uint8_t { must_exist, create_if_missing };

/// Asks, before a run, whether points could be written: the server answers, the database and the retention policy exist
/// (a v1 database is created if allowed), the credentials may write, and no field that will be written has another type
/// there already. Stores nothing. The value are notes, a line each, on what the server would not tell; the error is one
/// line that says what to do.
Result<std::vector<std::string>, std::string> preflight(const InfluxTarget& target, DatabasePolicy policy,
                                                        const std::vector<FieldUse>& fields = {});

struct InfluxSinkOptions {
  BatchLimits batch;
  std::size_t max_queue_bytes = std::size_t{64} << 20;  ///< beyond it the oldest waiting batches go to the spill file
  Backoff::Range backoff;
  std::chrono::milliseconds drain_timeout{10'000};  ///< how long finish() may take before the rest is spilled
  std::filesystem::path spill_file;  ///< made when first needed, appended to; empty: such points are dropped
};

/// A sink whose write() only queues. One request at a time; answers are handled by classify_write(). Points go to the
/// spill file when the queue overflows, when the server will not have them as configured, and when finish() runs out of
/// time. finish() returns at most about a second after its time limit. A point that is written twice (an answer was
/// lost) is still one point, so "spilled" may be stored as well.
std::unique_ptr<Sink> make_influx_sink(const InfluxTarget& target, const InfluxSinkOptions& options);

}  // namespace exporters
