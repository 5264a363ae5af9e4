// One header after the other.
#include "refserver/http/request_facts.hpp"

#include <charconv>

#include "refserver/http/request_head.hpp"

namespace refserver {
namespace {

std::optional<std::string> read_id(const FindHeader& find, std::string_view name) {
  const auto value = find(name);
  if (!value) return std::nullopt;
  return make_printable_id(*value);
}

/// Empty if the priority is not a number from 0 to 255.
std::optional<Standing> read_standing(const FindHeader& find) {
  Standing standing{read_id(find, "x-plumbline-tenant").value_or("")};
  const auto priority = find("x-plumbline-priority");
  if (!priority) return standing;
  const char* const end = priority->data() + priority->size();
  const auto [at, ec] = std::from_chars(priority->data(), end, standing.priority);
  if (ec != std::errc() || at != end) return std::nullopt;
  return standing;
}

}  // namespace

Result<void, Error> read_headers(const FindHeader& find, Dialect dialect, RequestFacts& facts) {
  facts.client_id = read_id(find, "x-request-id");
  facts.draw_key = read_id(find, "x-sim-key").value_or("");
  if (dialect != Dialect::extended) return {};

  if (const auto asked = find("x-plumbline-chunking")) {
    const auto chunking = parse_chunking(*asked);
    if (!chunking) return Error{ErrorType::validation, "x-plumbline-chunking: " + chunking.error()};
    facts.chunking = *chunking;
  }
  const auto standing = read_standing(find);
  if (!standing) return Error{ErrorType::validation, "x-plumbline-priority: not a number from 0 to 255"};
  facts.standing = *standing;
  facts.wants_truth = is_switched_on(find("x-plumbline-truth").value_or(""));
  return {};
}

}  // namespace refserver
