// Looks every metric up once. Names as TGI 3.3.7 has them.
#include "refserver/http/server_metrics.hpp"

#include <iterator>
#include <utility>

#include "refserver/http/metrics_page.hpp"

namespace refserver {
namespace {

/// limit * k / 100 for k = 1 ... 100.
std::vector<double> token_edges(std::uint32_t limit) {
  std::vector<double> edges;
  for (int k = 1; k <= 100; ++k) edges.push_back(static_cast<double>(limit) / 100.0 * k);
  return edges;
}

/// 1 ... 1024.
std::vector<double> batch_edges() {
  std::vector<double> edges;
  for (int size = 1; size <= 1024; ++size) edges.push_back(size);
  return edges;
}

double to_seconds(std::chrono::nanoseconds time) {
  return std::chrono::duration<double>(time).count();
}

constexpr const char* kFailures = "Requests that failed, by cause; dropped means the client went away.";
constexpr const char* kBodies = "Bodies that are no request of their route, by cause.";
constexpr const char* kConcats = "Times new work was merged into the running batch, by reason.";

exporters::HistogramBuckets& duration(exporters::PrometheusRegistry& registry, std::string_view name,
                                      std::string_view help, exporters::Labels labels = {}) {
  return registry.histogram(name, help, exporters::tgi_duration_edges(), std::move(labels));
}

}  // namespace

ServerMetrics::MethodMetrics::MethodMetrics(exporters::PrometheusRegistry& registry, std::string_view method)
    : count(registry.counter("tgi_batch_inference_count", "Engine steps.", {{"method", std::string(method)}})),
      success(registry.counter("tgi_batch_inference_success", "Engine steps that succeeded.",
                               {{"method", std::string(method)}})),
      failure(registry.counter("tgi_batch_inference_failure", "Engine steps that failed.",
                               {{"method", std::string(method)}})),
      inference(duration(registry, "tgi_batch_inference_duration", "Seconds per engine step.",
                         {{"method", std::string(method)}})),
      forward(duration(registry, "tgi_batch_forward_duration", "Seconds of a step in the model.",
                       {{"method", std::string(method)}})),
      decode(duration(registry, "tgi_batch_decode_duration", "Seconds of a step from logits to text.",
                      {{"method", std::string(method)}})),
      filter(duration(registry, "tgi_batch_filter_duration", "Seconds of a step handing tokens out.",
                      {{"method", std::string(method)}})) {}

ServerMetrics::ServerMetrics(std::uint32_t max_input, std::uint32_t max_total)
    : requests_(registry_.counter("tgi_request_count", "Generation requests, counted as TGI counts them.")),
      successes_(registry_.counter("tgi_request_success", "Finished generations.")),
      validation_failures_(registry_.counter("tgi_request_failure", kFailures, {{"err", "validation"}})),
      overloaded_failures_(registry_.counter("tgi_request_failure", kFailures, {{"err", "overloaded"}})),
      template_failures_(registry_.counter("tgi_request_failure", kFailures, {{"err", "template"}})),
      generation_failures_(registry_.counter("tgi_request_failure", kFailures, {{"err", "generation"}})),
      incomplete_failures_(registry_.counter("tgi_request_failure", kFailures, {{"err", "incomplete"}})),
      dropped_(registry_.counter("tgi_request_failure", kFailures, {{"err", "dropped"}})),
      duration_(duration(registry_, "tgi_request_duration", "Whole request in seconds, from its last byte read.")),
      validation_(duration(registry_, "tgi_request_validation_duration", "Seconds from last byte read to queued.")),
      queue_(duration(registry_, "tgi_request_queue_duration", "Seconds from queued to first given a place.")),
      inference_(duration(registry_, "tgi_request_inference_duration", "Seconds from there to the last token.")),
      time_per_token_(
          duration(registry_, "tgi_request_mean_time_per_token_duration", "Inference seconds per generated token.")),
      generated_tokens_(
          registry_.histogram("tgi_request_generated_tokens", "Tokens per finished request.", token_edges(max_total))),
      input_length_(
          registry_.histogram("tgi_request_input_length", "Prompt tokens per valid request.", token_edges(max_input))),
      max_new_tokens_(
          registry_.histogram("tgi_request_max_new_tokens", "Answer length reserved.", token_edges(max_total))),
      waiting_(registry_.gauge("tgi_queue_size", "Requests waiting for the engine.")),
      running_(registry_.gauge("tgi_batch_current_size", "Requests being answered.")),
      reserved_tokens_(registry_.gauge("tgi_batch_current_max_tokens", "Tokens reserved for the running batch.")),
      next_size_(registry_.histogram("tgi_batch_next_size", "Requests per new prefill batch.", batch_edges())),
      prefill_(registry_, "prefill"),
      decode_(registry_, "decode"),
      concats_{&registry_.counter("tgi_batch_concat", kConcats, {{"reason", "backpressure"}}),
               &registry_.counter("tgi_batch_concat", kConcats, {{"reason", "wait_exceeded"}}),
               &registry_.counter("tgi_batch_concat", kConcats, {{"reason", "chunking"}})},
      concat_duration_(duration(registry_, "tgi_batch_concat_duration", "Seconds per merge.", {{"method", "decode"}})),
      tokens_(registry_.counter("refserver_tokens_total", "Tokens handed to the kernel.")),
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

void ServerMetrics::on_valid(std::uint32_t prompt_tokens, std::uint32_t max_new_tokens) {
  input_length_.observe(prompt_tokens);
  max_new_tokens_.observe(max_new_tokens);
}

void ServerMetrics::on_refused(ErrorType type) {
  switch (type) {
    case ErrorType::overloaded:
    case ErrorType::queue_timeout:
      return overloaded_failures_.increment();
    case ErrorType::incomplete:
      return incomplete_failures_.increment();
    case ErrorType::generation:
      return generation_failures_.increment();
    case ErrorType::template_error:
      return template_failures_.increment();
    default:
      return validation_failures_.increment();
  }
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

void ServerMetrics::on_success(const SuccessTimes& times, std::uint32_t tokens) {
  successes_.increment();
  duration_.observe(times.total);
  validation_.observe(times.validation);
  queue_.observe(times.queue);
  inference_.observe(times.inference);
  time_per_token_.observe(times.inference / tokens);
  generated_tokens_.observe(tokens);
}

void ServerMetrics::set_calibration(const Calibration& calibration) {
  const auto tell = [this](std::string_view name, std::string_view help, const DelayFacts& delay) {
    registry_.gauge(name, help, {{"percentile", "50"}}).set(to_seconds(delay.p50));
    registry_.gauge(name, help, {{"percentile", "99"}}).set(to_seconds(delay.p99));
  };
  tell("refserver_timer_error_seconds", "How late sleeps ended on this machine, measured at start.", calibration.timer);
  tell("refserver_write_seconds", "How long writes of a token took on this machine, measured at start.",
       calibration.write);
}

void ServerMetrics::set_waiting(std::size_t requests) noexcept {
  waiting_.set(static_cast<double>(requests));
}

void ServerMetrics::set_batch(std::size_t requests, std::uint64_t reserved_tokens) noexcept {
  running_.set(static_cast<double>(requests));
  reserved_tokens_.set(static_cast<double>(reserved_tokens));
}

void ServerMetrics::on_batch_formed(std::size_t requests) noexcept {
  next_size_.observe(static_cast<double>(requests));
}

void ServerMetrics::on_concat(Concat reason, std::chrono::nanoseconds took) noexcept {
  concats_[static_cast<std::size_t>(reason)]->increment();
  concat_duration_.observe(to_seconds(took));
}

void ServerMetrics::on_step(Method method, const StepTimes& times) noexcept {
  MethodMetrics& metrics = of(method);
  metrics.count.increment();
  metrics.success.increment();
  metrics.inference.observe(to_seconds(times.total));
  metrics.forward.observe(to_seconds(times.forward));
  metrics.decode.observe(to_seconds(times.decode));
  metrics.filter.observe(to_seconds(times.filter));
}

void ServerMetrics::on_step_failed(Method method) noexcept {
  of(method).count.increment();
  of(method).failure.increment();
}

std::string ServerMetrics::render(Dialect dialect, std::vector<exporters::MetricFamily> more) const {
  std::vector<exporters::MetricFamily> families = registry_.collect();
  std::move(more.begin(), more.end(), std::back_inserter(families));
  // No step yields more than one token per sequence, so nothing is ever skipped.
  const auto steps = static_cast<std::uint64_t>(tokens_.value());
  return dialect == Dialect::strict_tgi ? render_as_tgi(families, steps)
                                        : exporters::render_prometheus(families) + skipped_tokens_summary(steps);
}

}  // namespace refserver
