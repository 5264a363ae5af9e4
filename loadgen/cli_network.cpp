#include "loadgen/cli_network.hpp"

#include "loadgen/cli_options.hpp"

namespace loadgen {

void add_network_flags(CLI::App& app, NetworkFlags& flags) {
  OptionGroup options(app, "How to get there");
  options.texts("--header", flags.headers, "'NAME: VALUE'",
                "Extra header; ${env:NAME} and ${file:PATH} in the value are looked up; may be repeated");
  options.text(
      "--api-key-file", flags.api_key_file, "FILE",
      "Send the first line of this file as 'authorization: Bearer KEY' (default: LOADGEN_API_KEY, if it is set)");
  options.text("--host", flags.host, "HOST[:PORT]", "Name in the Host header and in TLS, instead of the target's");
  options.text("--ca-file", flags.ca_file, "FILE", "TLS: trust these certificates (PEM) instead of the system's");
  options.text("--client-cert", flags.client_certificate, "FILE", "TLS: certificate of our own (PEM, chain included)");
  options.text("--client-key", flags.client_key, "FILE", "TLS: its key (default: in the same file)");
  options.flag("--insecure", flags.insecure, "TLS: take any certificate; the results say so");
  options.texts("--resolve", flags.resolve, "HOST:PORT:ADDR", "Reach HOST:PORT at this address; may be repeated");
  options.text("--source-address", flags.source_address, "A,B,...",
               "Connect from these addresses of this machine in turn, where the ports of one do not do");
  options.flag("--no-proxy", flags.no_proxy, "Ignore http_proxy, https_proxy and all_proxy");
  options.text("--connect-timeout", flags.connect_timeout, "TIME",
               "Longest time until a connection is ready (default 5s)");
  options.text("--first-token-timeout", flags.first_token_timeout, "TIME",
               "Longest time from send to the first token (default 60s)");
}

}  // namespace loadgen
