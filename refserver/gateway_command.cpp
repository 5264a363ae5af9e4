// Flags to options and backends; the work is in gateway/.
#include "refserver/gateway_command.hpp"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <boost/asio/ip/address.hpp>
#include <boost/system/system_error.hpp>
#include <csignal>
#include <cstdio>
#include <stdexcept>

#include "refserver/chat/chat_template.hpp"
#include "refserver/duration.hpp"
#include "refserver/gateway/gateway.hpp"
#include "refserver/models.hpp"

namespace refserver {
namespace {

struct GatewayFlags {
  GatewayOptions options;
  std::vector<std::string> backends;
  std::vector<std::string> families;
};

/// A flag whose value is a time such as 300ms; longer than 0.
void add_time(CLI::App& app, const std::string& name, std::chrono::milliseconds& value, const std::string& help) {
  const auto apply = [&value](const std::string& text) {
    value = std::chrono::duration_cast<std::chrono::milliseconds>(*parse_duration(text));
  };
  const auto check = [](const std::string& text) -> std::string {
    const auto time = parse_duration(text);
    if (time && *time >= std::chrono::milliseconds(1)) return {};
    return fmt::format("'{}' is not a time from 1ms to 1h, such as 300ms or 5m", text);
  };
  app.add_option_function<std::string>(name, apply, help)->check(check)->type_name("TIME");
}

void add_statsd_flags(CLI::App& app, StatsdOptions& options) {
  using Set = Result<void, std::string> (*)(StatsdOptions&, std::string_view);
  const auto add = [&](const std::string& name, Set set, const char* type, const char* help) {
    const auto check = [set](const std::string& text) {
      StatsdOptions tried;
      const auto read = set(tried, text);
      return read ? std::string() : read.error();
    };
    const auto apply = [&options, set](const std::string& text) { (void)set(options, text); };  // checked before
    app.add_option_function<std::string>(name, apply, help)->check(check)->type_name(type);
  };
  add("--statsd", set_statsd_address, "HOST:PORT", "tell a StatsD daemon about requests, by backend, once a second");
  add("--statsd-format", set_statsd_format, "HOW",
      "plain, dogstatsd or influx: the model in the name or as a tag (default plain)");
  add("--statsd-prefix", set_statsd_prefix, "NAME", "in front of every name, such as gateway (default none)");
}

void add_flags(CLI::App& app, GatewayFlags& flags) {
  GatewayOptions& options = flags.options;
  app.add_option("--backend", flags.backends,
                 "a TGI server and the model's name here, such as qwen2=http://tgi-qwen2:80; "
                 "repeat for more")
      ->required()
      ->type_name("NAME=URL");
  app.add_option("--family", flags.families,
                 "whose chat template the scenarios of /v1/generate use for a backend: NAME=qwen2, qwen2.5 or llama3 "
                 "(default: by its name); repeat for more")
      ->type_name("NAME=FAMILY");
  const auto is_address = [](const std::string& text) -> std::string {
    boost::system::error_code ec;
    boost::asio::ip::make_address(text, ec);
    return ec ? fmt::format("'{}' is not an IP address, such as 127.0.0.1 or ::", text) : std::string();
  };
  app.add_option("--host", options.host, "address to listen on, an IP literal (default 127.0.0.1)")
      ->check(is_address)
      ->type_name("ADDRESS");
  app.add_option("--port", options.port, "port to listen on; 0 lets the system pick one (default 8000)")
      ->type_name("P");
  app.add_option("--max-connections", options.max_connections, "clients connected at once (default 1024)")
      ->check(CLI::Range(1, 100'000))
      ->type_name("N");
  app.add_option("--max-backend-requests", options.max_backend_requests,
                 "requests one backend has at once; more get 429 (default 128)")
      ->check(CLI::Range(1, 100'000))
      ->type_name("N");
  app.add_option("--payload-limit", options.body_limit_bytes, "longest request body (default 2000000)")
      ->check(CLI::Range(std::size_t{1}, std::size_t{1} << 30U))
      ->type_name("BYTES");
  add_time(app, "--connect-timeout", options.connect_timeout, "a backend that takes no connection: 502 (default 3s)");
  add_time(app, "--backend-timeout", options.backend_timeout,
           "a backend that sends nothing for this long: 504, or the stream is cut (default 5m)");
  add_time(app, "--idle-timeout", options.idle_timeout, "closes a connection that sends no request (default 2m)");
  add_time(app, "--write-timeout", options.write_timeout, "gives up on a client that reads nothing (default 30s)");
  add_time(app, "--health-interval", options.probe_interval, "how often each backend's /health is asked (default 2s)");
  add_time(app, "--graceful-termination-timeout", options.graceful_termination_timeout,
           "how long requests may finish after SIGTERM (default 90s)");
  add_statsd_flags(app, options.statsd);
}

/// The template of a family, and what the family's tokenizer puts before every text.
void set_family(Backend& backend, std::string_view family) {
  auto chat = ChatTemplate::built_in(family);
  if (!chat) {
    throw std::invalid_argument(fmt::format("--family: '{}' is none of qwen2, qwen2.5, llama3", family));
  }
  backend.chat_template = *std::move(chat);
  backend.begin_text = family == "llama3" ? "<|begin_of_text|>" : "";
}

/// Throws std::invalid_argument naming the flag.
std::vector<Backend> make_backends(const GatewayFlags& flags) {
  std::vector<Backend> backends;
  for (const std::string& text : flags.backends) {
    auto address = parse_backend(text);
    if (!address) throw std::invalid_argument("--backend: " + address.error());
    if (find_backend(backends, address->name) < backends.size()) {
      throw std::invalid_argument(fmt::format("--backend: the name '{}' is given twice", address->name));
    }
    Backend& backend = backends.emplace_back();
    backend.address = *std::move(address);
    set_family(backend, family_of(backend.address.name));
  }
  for (const std::string& text : flags.families) {
    const std::size_t equals = text.find('=');
    const std::size_t found = find_backend(backends, std::string_view(text).substr(0, equals));
    if (equals == std::string::npos || found == backends.size()) {
      throw std::invalid_argument(fmt::format("--family: '{}' is not NAME=FAMILY with the name of a --backend", text));
    }
    set_family(backends[found], std::string_view(text).substr(equals + 1));
  }
  return backends;
}

ExitCode serve(GatewayOptions options, std::vector<Backend> backends) {
  std::signal(SIGPIPE, SIG_IGN);
  std::optional<Gateway> gateway;
  const std::string host = options.host;
  const std::uint16_t port = options.port;
  try {
    gateway.emplace(std::move(options), std::move(backends));
  } catch (const boost::system::system_error& e) {
    fmt::print(stderr, "refserver: cannot listen on {} port {}: {}\n", host, port, e.code().message());
    return ExitCode::unavailable;
  }
  gateway->stop_on_signals();
  const bool is_v6 = host.find(':') != std::string::npos;
  fmt::print("listening on http://{}:{}\n", is_v6 ? "[" + host + "]" : host, gateway->port());
  std::fflush(stdout);
  gateway->run();
  return ExitCode::ok;
}

constexpr const char* kFooter = R"(
A request goes to the backend that says its model: the first part of the path (/qwen2/generate_stream), the header
x-plumbline-model, `model` or `model_id` of the body; with one backend every request goes there. Answers pass as they
come, byte for byte. POST /v1/generate takes model_id, scenario, inputs, parameters and asks the backend's /generate or
/generate_stream. GET /health (503 unless every backend is up), /metrics and /v1/models are the gateway's own.
Nothing is tried twice. What the gateway itself refuses: 404 model_not_found, 429 busy, 502 backend_unreachable and
backend_broken, 504 timeout.

Example:
  refserver gateway --port 8000 --backend qwen2=http://127.0.0.1:8081 --backend llama3=http://127.0.0.1:8082

Exit codes: 0 stopped by SIGTERM or SIGINT, 1 internal error, 64 bad usage, 69 address not available.)";

}  // namespace

ExitCode run_gateway(int argc, const char* const* argv) {
  CLI::App app("One address in front of several TGI servers, one per model.", "refserver gateway");
  app.footer(kFooter);
  GatewayFlags flags;
  add_flags(app, flags);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& e) {
    return app.exit(e) == 0 ? ExitCode::ok : ExitCode::bad_usage;
  }
  std::vector<Backend> backends;
  try {
    backends = make_backends(flags);
  } catch (const std::invalid_argument& e) {
    fmt::print(stderr, "refserver: {}\n", e.what());
    return ExitCode::bad_usage;
  }
  return serve(std::move(flags.options), std::move(backends));
}

}  // namespace refserver
