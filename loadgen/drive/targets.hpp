// From the targets of a scenario to addresses that accept connections. Nothing is sent: pre-flight only connects.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "loadgen/plan/scenario.hpp"
#include "loadgen/result.hpp"

namespace loadgen {

struct Way;  // way.hpp

/// A resolved address of a target, or of the proxy before it.
struct Address {
  std::string text;  ///< numeric address, or the absolute path of a unix socket
  std::uint16_t port = 0;
  std::shared_ptr<const Way> way = nullptr;  ///< what lies between the socket and the server; null: nothing
  bool is_unix() const noexcept { return !text.empty() && text[0] == '/'; }
  bool operator==(const Address&) const = default;
};

/// Resolves and connects to the target of each mix entry once (each distinct one), TLS handshake and proxy included,
/// within the connect timeout. Returns one address per entry; the error names the target, what failed and what to
/// check.
Result<std::vector<Address>, std::string> preflight(const Scenario& scenario);

/// Same for the target of one entry.
Result<Address, std::string> preflight(const Scenario& scenario, const Target& target);

/// Raises the soft limit of open files to the hard one; returns the limit in force.
std::uint64_t raise_file_limit() noexcept;

}  // namespace loadgen
