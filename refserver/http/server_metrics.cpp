// Looks every metric up once. Names as TGI 3.3.7 has them.
#include "refserver/http/server_metrics.hpp"

#include <vector>

namespace refserver {
namespace {

/// limit * k / 100 for k = 1 ... 100.
std::vector<double> token_edges(std::uint32_t limit) {
  std::vector<double> edges;
  for (int k = 1; k <= 100; ++k) edges.push_back(static_cast<double>(limit) * k / 100.0);
  return edges;
}

constexpr const char* kFailures = "Requests that failed, by cause; dropped means the client went away.";
constexpr const char* kBodies = "Bodies that are no request of their route, by cause.";

}  // namespace

ServerMetrics::ServerMetrics(std::uint32_t max_input, std::uint32_t max_total)
    : requests_(registry_.counter("tgi_request_count", "Generation requests with a readable body.")),
      successes_(registry_.counter("tgi_request_success", "Finished generations.")),
      validation_failures_(registry_.counter("tgi_request_failure", kFailures, {{"err", "validation"}})),
      overloaded_failures_(registry_.counter("tgi_request_failure", kFailures, {{"err", "overloaded"}})),
      incomplete_failures_(registry_.counter("tgi_request_failure", kFailures, {{"err", "incomplete"}})),
      dropped_(registry_.counter("tgi_request_failure", kFailures, {{"err", "dropped"}})),
      duration_(registry_.histogram("tgi_request_duration", "Whole request in seconds, from its last byte read.",
                                    exporters::tgi_duration_edges())),
      validation_(registry_.histogram("tgi_request_validation_duration", "Seconds from last byte read to queued.",
                                      exporters::tgi_duration_edges())),
      inference_(registry_.histogram("tgi_request_inference_duration", "Seconds from queued to last token.",
                                     exporters::tgi_duration_edges())),
      time_per_token_(registry_.histogram("tgi_request_mean_time_per_token_duration",
                                          "Inference seconds per generated token.", exporters::tgi_duration_edges())),
      generated_tokens_(
          registry_.histogram("tgi_request_generated_tokens", "Tokens per finished request.", token_edges(max_total))),
      input_length_(
          registry_.histogram("tgi_request_input_length", "Prompt tokens per valid request.", token_edges(max_input))),
      max_new_tokens_(
          registry_.histogram("tgi_request_max_new_tokens", "Answer length asked for.", token_edges(max_total))),
      queued_(registry_.gauge("tgi_queue_size", "Requests waiting for the engine.")),
      running_(registry_.gauge("tgi_batch_current_size", "Requests being answered.")),
      connections_(registry_.gauge("refserver_connections", "Open client connections.")),
      first_token_(registry_.histogram("refserver_time_to_first_token_seconds",
                                       "From the last byte of the request read to the write of the first token.",
                                       exporters::fine_duration_edges())),
      token_delay_(registry_.histogram("refserver_token_write_delay_seconds",
                                       "From a token being due to its write: the server's own lateness.",
                                       exporters::fine_duration_edges())),
      internal_errors_(registry_.counter("refserver_internal_errors_total", "Exceptions that should not happen.")),
      malformed_(registry_.counter("refserver_bodies_refused_total", kBodies, {{"err", "body_malformed"}})),
      misshapen_(registry_.counter("refserver_bodies_refused_total", kBodies, {{"err", "body_shape"}})),
      too_large_(registry_.counter("refserver_bodies_refused_total", kBodies, {{"err", "body_too_large"}})),
      wrong_type_(registry_.counter("refserver_bodies_refused_total", kBodies, {{"err", "body_content_type"}})) {}

void ServerMetrics::on_valid(double validation_seconds, std::uint32_t prompt_tokens, std::uint32_t max_new_tokens) {
  validation_.observe(validation_seconds);
  input_length_.observe(prompt_tokens);
  max_new_tokens_.observe(max_new_tokens);
}

void ServerMetrics::on_refused(ErrorType type) {
  if (type == ErrorType::overloaded) return overloaded_failures_.increment();
  if (type == ErrorType::incomplete) return incomplete_failures_.increment();
  validation_failures_.increment();
}

void ServerMetrics::on_unread(ErrorType type) {
  switch (type) {
    case ErrorType::body_malformed:
      return malformed_.increment();
    case ErrorType::body_too_large:
      return too_large_.increment();
    case ErrorType::body_content_type:
      return wrong_type_.increment();
    default:
      return misshapen_.increment();
  }
}

void ServerMetrics::on_success(double total_seconds, double inference_seconds, std::uint32_t tokens) {
  successes_.increment();
  duration_.observe(total_seconds);
  inference_.observe(inference_seconds);
  time_per_token_.observe(inference_seconds / tokens);
  generated_tokens_.observe(tokens);
}

}  // namespace refserver
