#include "loadgen/cli_network.hpp"

#include <CLI/CLI.hpp>

namespace loadgen {

void add_network_flags(CLI::App& app, NetworkFlags& flags) {
  const char* const group = "How to get there";
  const auto add = [&](const char* name, std::optional<std::string>& value, const char* type, const char* help) {
    app.add_option_function<std::string>(
           name, [&value](const std::string& text) { value = text; }, help)
        ->type_name(type)
        ->group(group);
  };
  const auto add_many = [&](const char* name, std::vector<std::string>& values, const char* type, const char* help) {
    app.add_option(name, values, help)->type_name(type)->group(group)->allow_extra_args(false);
  };
  add_many("--header", flags.headers, "'NAME: VALUE'",
           "Extra header; ${env:NAME} and ${file:PATH} in the value are looked up; may be repeated");
  add("--api-key-file", flags.api_key_file, "FILE",
      "Send the first line of this file as 'authorization: Bearer KEY' (default: LOADGEN_API_KEY, if it is set)");
  add("--host", flags.host, "HOST[:PORT]", "Name in the Host header and in TLS, instead of the target's");
  add("--ca-file", flags.ca_file, "FILE", "TLS: trust these certificates (PEM) instead of the system's");
  add("--client-cert", flags.client_certificate, "FILE", "TLS: certificate of our own (PEM, chain included)");
  add("--client-key", flags.client_key, "FILE", "TLS: its key (default: in the same file)");
  app.add_flag("--insecure", flags.insecure, "TLS: take any certificate; the results say so")->group(group);
  add_many("--resolve", flags.resolve, "HOST:PORT:ADDR", "Reach HOST:PORT at this address; may be repeated");
  add("--source-address", flags.source_address, "A,B,...",
      "Connect from these addresses of this machine in turn, where the ports of one do not do");
  app.add_flag("--no-proxy", flags.no_proxy, "Ignore http_proxy, https_proxy and all_proxy")->group(group);
  add("--connect-timeout", flags.connect_timeout, "TIME", "Longest time until a connection is ready (default 5s)");
  add("--first-token-timeout", flags.first_token_timeout, "TIME",
      "Longest time from send to the first token (default 60s)");
}

}  // namespace loadgen
