// Looks every metric up once.
#include "refserver/gateway/gateway_metrics.hpp"

#include <algorithm>

namespace refserver {
namespace {

/// A backend that cannot be reached or breaks off has failed the request as much as one that says so.
RequestEnd meaning_of(Outcome outcome) {
  switch (outcome) {
    case Outcome::ok:
      return RequestEnd::ok;
    case Outcome::timeout:
      return RequestEnd::timeout;
    case Outcome::model_error:
    case Outcome::backend_unreachable:
    case Outcome::backend_broken:
      return RequestEnd::model_error;
    default:
      return RequestEnd::other;
  }
}

}  // namespace

GatewayMetrics::GatewayMetrics(std::span<const Backend> backends) {
  for (const Backend& backend : backends) {
    const std::string& name = backend.address.name;
    const exporters::Labels labels{{"backend", name}};
    PerBackend& own = backends_.emplace_back();
    for (const Outcome outcome : all_outcomes) {
      own.outcomes.push_back(&registry_.counter("refserver_gateway_requests_total", "Requests by how they ended.",
                                                {{"backend", name}, {"outcome", std::string(label(outcome))}}));
    }
    own.input_tokens = &registry_.counter("refserver_gateway_input_tokens_total",
                                          "Prompt tokens, of answers that tell their number.", labels);
    own.output_tokens = &registry_.counter("refserver_gateway_output_tokens_total",
                                           "Answer tokens: as the answer tells, else one per event.", labels);
    own.duration = &registry_.histogram("refserver_gateway_duration_seconds",
                                        "From the whole request to the last byte for the client.",
                                        exporters::fine_duration_edges(), labels);
    own.first_byte = &registry_.histogram("refserver_gateway_first_byte_seconds",
                                          "From the whole request to the backend's first byte of the body.",
                                          exporters::fine_duration_edges(), labels);
    own.is_up = &registry_.gauge("refserver_gateway_backend_up", "1 while its /health says 200.", labels);
    own.in_flight = &registry_.gauge("refserver_gateway_in_flight", "Requests the backend has from us.", labels);
  }
  refused_ = &registry_.counter("refserver_gateway_refused_total", "Requests that were sent to no backend.");
  internal_errors_ = &registry_.counter("refserver_gateway_internal_errors_total", "Bugs; always 0.");
  connections_ = &registry_.gauge("refserver_gateway_connections", "Clients connected.");
}

void GatewayMetrics::on_end(std::size_t backend, Outcome outcome, double total, double first_byte,
                            const TokenTally& tokens) {
  PerBackend& own = backends_[backend];
  const auto at = std::find(all_outcomes.begin(), all_outcomes.end(), outcome) - all_outcomes.begin();
  own.outcomes[static_cast<std::size_t>(at)]->increment();
  if (outcome == Outcome::ok) own.duration->observe(total);
  if (first_byte >= 0) own.first_byte->observe(first_byte);
  own.input_tokens->increment(static_cast<double>(tokens.input.value_or(0)));
  own.output_tokens->increment(static_cast<double>(tokens.output.value_or(0)));
  if (statsd_ == nullptr) return;
  statsd_->on_end(backend, {meaning_of(outcome), total, tokens.input.value_or(0), tokens.output.value_or(0)});
}

void GatewayMetrics::on_refused() {
  refused_->increment();
  if (statsd_ != nullptr) statsd_->on_end(backends_.size(), {});
}

std::string GatewayMetrics::render(std::span<const Backend> backends) const {
  for (std::size_t i = 0; i < backends.size(); ++i) {
    backends_[i].is_up->set(backends[i].is_up ? 1 : 0);
    backends_[i].in_flight->set(static_cast<double>(backends[i].in_flight));
  }
  return registry_.render();
}

}  // namespace refserver
