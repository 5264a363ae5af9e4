// What a run is asked to do, fully typed and validated: the result of reading a scenario file or the command line.
// Pure values; knows nothing of sockets or clocks.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "loadgen/plan/duration_draw.hpp"
#include "loadgen/plan/gate.hpp"
#include "loadgen/plan/observe.hpp"

namespace tokenizer {
class Tokenizer;  // tokenizer/tokenizer.hpp
}

namespace loadgen {

using std::chrono::nanoseconds;

struct EndpointTemplate;  // endpoint_template.hpp
struct LengthDraw;        // length_draw.hpp
struct MadePrompts;       // made_prompts.hpp
class Pattern;            // pattern.hpp

/// The wire protocol of a mix entry. `label()` spells it as flags and files do. `custom` is what an endpoint template
/// describes; no flag or file names it as a route.
enum class Route : std::uint8_t { tgi_stream, tgi, openai_chat, openai_completions, gateway, custom };

/// The word used for a route in flags, files, labels: tgi-stream, tgi, openai-chat, openai-completions, gateway;
/// `endpoint` for a template's.
const char* label(Route route) noexcept;
std::optional<Route> route_from(std::string_view word) noexcept;

/// Whether the answer is asked for as server-sent events or as one body.
enum class Delivery : std::uint8_t { stream, whole };

/// A proxy that speaks HTTP.
struct Proxy {
  std::string host;  ///< name or address
  std::uint16_t port = 0;
  std::string authorization = {};  ///< value of proxy-authorization; empty: none
};

/// `http://host:port[/base]`, `https://...` or `unix:/path`, parsed. `host` is without brackets; `authority` is what
/// the Host header carries.
struct Target {
  std::string url;   ///< as the user wrote it, without a trailing slash
  std::string host;  ///< name or address
  std::uint16_t port = 80;
  std::string authority;         ///< host:port as sent in the Host header
  std::string base_path;         ///< "" or "/prefix", prepended to the route's path
  std::string unix_path = {};    ///< of a unix socket; empty: TCP
  bool is_tls = false;           ///< https
  std::string server_name = {};  ///< asked for in TLS and checked in the certificate; empty: `host`
  std::optional<Proxy> proxy = std::nullopt;
};

/// Sampling parameters sent with a request; absent means the field is not sent.
struct Parameters {
  std::uint32_t max_new_tokens = 128;  ///< with `drawn_tokens`: their mean
  std::shared_ptr<const LengthDraw>
      drawn_tokens;  ///< max_new_tokens differs from request to request; null: it does not
  std::optional<double> temperature;
  std::optional<double> top_p;
  std::optional<std::int64_t> top_k;
  std::optional<std::int64_t> seed;
  std::vector<std::string> stop;
  std::optional<std::uint32_t> min_tokens;  ///< vLLM, SGLang: no end before so many tokens
  bool ignore_eos = false;                  ///< vLLM, SGLang: go on until max_new_tokens whatever the model says
  bool continuous_usage = false;            ///< vLLM: token counts in every event of a stream
};

/// What an answer must be to count as one; each part that is absent asks for nothing.
struct Expectation {
  bool not_empty = false;                   ///< some text that is not blank
  std::shared_ptr<const Pattern> matches;   ///< found somewhere in the text
  std::vector<std::string> finish_reasons;  ///< one of these; empty: any
  std::string model;                        ///< the model the server says has answered
  /// The text of the answer is needed, not just its counts.
  bool needs_text() const noexcept { return not_empty || matches != nullptr; }
  bool is_any() const noexcept { return !needs_text() && finish_reasons.empty() && model.empty(); }
};

using Headers = std::vector<std::pair<std::string, std::string>>;

/// One weighted member of the mix: a prompt family sent to one model over one route.
struct MixEntry {
  std::string name;     ///< unique, used as tag and in `mix.<entry>`
  double weight = 1.0;  ///< > 0; shares are weight / sum of weights
  Target target;
  Route route = Route::tgi_stream;
  Delivery delivery = Delivery::stream;
  std::string model;     ///< sent as model / model_id; empty: not sent
  std::string scenario;  ///< qa, summarize, rewrite or empty; a label everywhere, sent on the gateway route
  Headers headers;       ///< extra request headers
  Parameters parameters;
  std::vector<std::string> prompts;                            ///< at least one, unless they are `made`
  std::shared_ptr<const MadePrompts> made = nullptr;           ///< prompts made up to a number of tokens
  std::shared_ptr<const EndpointTemplate> endpoint = nullptr;  ///< with Route::custom alone
  Expectation expect = {};
  std::string tokenizer = {};  ///< its folder or file, as the scenario names it; empty: none
  std::shared_ptr<const tokenizer::Tokenizer> vocabulary = nullptr;  ///< that; counts answers whose server does not
};

/// How certificates are judged and which of our own is shown; for all targets that speak TLS.
struct TlsOptions {
  std::string ca_file;      ///< PEM; empty: those the system trusts
  std::string certificate;  ///< PEM, chain included; empty: none of our own
  std::string key;          ///< PEM; empty with a certificate: in the same file
  bool insecure = false;    ///< take any certificate: the traffic is not safe, and the results say so
};

/// `host:port` is reached at `address`, whatever name services say.
struct ResolveRule {
  std::string host;
  std::uint16_t port = 0;
  std::string address;  ///< numeric
};

/// Whether http_proxy, https_proxy and no_proxy of the environment are heeded.
enum class Proxies : std::uint8_t { from_environment, none };

/// One stretch of a load that changes over time.
struct Stage {
  enum class Shape : std::uint8_t {
    hold,  ///< `level` all the time
    ramp,  ///< in a straight line from the level before (0 at the start) to `level`
  };
  Shape shape = Shape::hold;
  double level = 0;  ///< requests per second, or in flight
  nanoseconds length{};
};

/// Keep `concurrency` requests in flight; the next one starts when one ends, or a think time later.
struct ClosedLoop {
  std::uint32_t concurrency = 1;   ///< with stages: the most there are
  DurationDraw think_time = {};    ///< drawn for each request but the first one of a user
  std::vector<Stage> stages = {};  ///< empty: the same all the time; the last level stays
};

enum class Arrivals : std::uint8_t { poisson, constant, gamma };
const char* label(Arrivals arrivals) noexcept;

/// Send at planned instants whatever comes back.
struct OpenLoop {
  double rate = 1.0;  ///< mean requests per second, > 0; with stages: the highest
  Arrivals arrivals = Arrivals::poisson;
  double shape = 1.0;  ///< of gamma arrivals: below 1 burstier than Poisson, above 1 more even; CV = 1/sqrt(shape)
  std::vector<Stage> stages = {};  ///< as in ClosedLoop
};

using Load = std::variant<ClosedLoop, OpenLoop>;

struct Timeouts {
  nanoseconds connect = std::chrono::seconds(5);
  nanoseconds first_token = std::chrono::seconds(60);  ///< from send to the first token event; streams only
  nanoseconds total = std::chrono::seconds(300);       ///< from send to the end
  /// A connection that has been idle for as long carries no other request; 0: none carries a second one.
  nanoseconds idle = nanoseconds::max();
};

/// How long to measure: a window of time, or a number of measured requests. Exactly one is set.
struct Length {
  std::optional<nanoseconds> duration;    ///< the measured window alone
  std::optional<std::uint64_t> requests;  ///< measured requests; nothing is sent after the last of them
};

enum class RecordLevel : std::uint8_t {
  all,      ///< everything in the run directory
  summary,  ///< no requests.jsonl and no points.lp
};

struct Scenario {
  std::string name;    ///< used in reports
  std::string source;  ///< file name, or "command line"
  std::uint64_t seed = 1;
  Load load = ClosedLoop{};
  Length length;
  std::optional<nanoseconds> warmup;  ///< absent: decided by rule while running (llm metrics: steadiness)
  nanoseconds drain_max = std::chrono::seconds(60);
  Timeouts timeouts;
  std::uint32_t threads = 0;  ///< I/O threads; 0 = half of the cores, at least 1
  /// A header in which every request carries its index in the plan; empty: none. A server whose scripted latencies are
  /// keyed by it gives the same ones to any number of machines.
  std::string index_header = {};
  /// Put a unique tag at the start of each prompt, so that no prefix cache helps. Prompts that are made up have none:
  /// they begin with words of their own, or without this all alike.
  bool nonce = true;
  TlsOptions tls;
  std::vector<ResolveRule> resolve;
  std::vector<std::string> source_addresses;  ///< numeric; connections are made from them in turn; empty: any
  Proxies proxies = Proxies::from_environment;
  std::vector<MixEntry> mix;  ///< at least one
  std::vector<Gate> gates;
  Observe observe;
};

/// True for an open-loop load, where latency counts from the planned instant.
inline bool is_open_loop(const Scenario& scenario) noexcept {
  return std::holds_alternative<OpenLoop>(scenario.load);
}

/// The stages of a load; empty: it is the same all the time.
inline const std::vector<Stage>& stages_of(const Load& load) noexcept {
  const auto* open = std::get_if<OpenLoop>(&load);
  return open != nullptr ? open->stages : std::get<ClosedLoop>(load).stages;
}

}  // namespace loadgen
