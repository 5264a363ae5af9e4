// What is known of a request for generation beside its body, and the headers that say some of it. Pure; knows no
// parser.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "refserver/api/chunking.hpp"
#include "refserver/api/generate_request.hpp"
#include "refserver/api/sse_buffer.hpp"
#include "refserver/api/token_event.hpp"
#include "refserver/error.hpp"
#include "refserver/http/response_head.hpp"
#include "refserver/queue/work_queue.hpp"
#include "refserver/result.hpp"

namespace refserver {

/// What is known of a request once it was read.
struct RequestFacts {
  Route route = Route::generate;
  TimePoint received;
  std::optional<std::string> client_id{};
  std::string draw_key{};  ///< what simulated engines and faults key random draws by
  Persistence persistence = Persistence::keep;
  Framing framing = Framing::chunked;
  std::string allow_origin = "*";
  std::optional<Chunking> chunking{};  ///< how the client wants its stream cut
  bool wants_truth = false;            ///< the client asked to be told what the truth log will say
  Standing standing{};
};

/// The value of the header of that name; empty if there is none.
using FindHeader = std::function<std::optional<std::string_view>(std::string_view name)>;

/// Adds what the headers say. Those of our own are unknown in the strict dialect; elsewhere a bad value is an error
/// that names the header.
Result<void, Error> read_headers(const FindHeader& find, Dialect dialect, RequestFacts& facts);

}  // namespace refserver
