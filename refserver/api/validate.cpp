// The checks, in the order and words of TGI 3.3.7.
#include "refserver/api/validate.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "refserver/chat/plain_chat.hpp"
#include "refserver/chat/scenario.hpp"
#include "tokenizer/text_units.hpp"

namespace refserver {
namespace {

/// TGI reserves and checks at most this many new tokens; longer answers go on segment by segment.
constexpr std::uint32_t kSegmentTokens = 1024;

Error invalid(std::string_view text) {
  return {ErrorType::validation, fmt::format("Input validation error: {}", text)};
}

std::uint64_t count_characters(std::string_view utf8) {
  return static_cast<std::uint64_t>(
      std::count_if(utf8.begin(), utf8.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xC0U) != 0x80U; }));
}

bool is_outside_unit(std::optional<float> value) {
  return value && !(*value > 0.0F && *value < 1.0F);
}
bool is_not_positive(std::optional<float> value) {
  return value && !(*value > 0.0F);
}

Result<std::string, Error> render_prompt(GenerateRequest& request) {
  if (request.route == Route::chat) return render_plain_chat(request.messages);
  if (request.scenario.empty()) return std::move(request.inputs);
  // An empty text stays empty, so that it is refused as such instead of hiding behind the scenario's words.
  if (request.inputs.empty()) return std::string();
  auto messages = make_scenario_messages(request.scenario, request.inputs);
  if (!messages) return messages.error();
  return render_plain_chat(*messages);
}

Sampling make_sampling(const GenerateParameters& p, std::uint64_t fallback_seed) {
  Sampling sampling;
  sampling.temperature = p.temperature.value_or(1.0F);
  sampling.is_greedy = !p.do_sample && sampling.temperature == 1.0F && !p.top_k && !p.top_p && !p.typical_p;
  sampling.repetition_penalty = p.repetition_penalty.value_or(1.0F);
  sampling.frequency_penalty = p.frequency_penalty.value_or(0.0F);
  sampling.top_k = static_cast<std::uint32_t>(p.top_k.value_or(0));
  sampling.top_p = p.top_p.value_or(1.0F);
  sampling.typical_p = p.typical_p.value_or(1.0F);
  if (!sampling.is_greedy) sampling.seed = p.seed.value_or(fallback_seed);
  return sampling;
}

}  // namespace

std::size_t Validator::choose_model(const GenerateRequest& request) const {
  const std::size_t found = find_model(models_, request.model);
  return found < models_.size() ? found : 0;
}

std::optional<Error> Validator::refuse_early(const GenerateRequest& request) const {
  if (request.route == Route::gateway && find_model(models_, request.model) == models_.size()) {
    std::string names;
    for (const ModelInfo& model : models_) names += (names.empty() ? "" : ", ") + model.name;
    return Error{ErrorType::model_not_found,
                 fmt::format("unknown model_id `{}`, expected one of: {}", request.model, names)};
  }
  if (!request.scenario.empty()) {
    const std::vector<std::string> names = scenario_names();
    if (std::find(names.begin(), names.end(), request.scenario) == names.end()) {
      return make_scenario_messages(request.scenario, "").error();
    }
  }
  if (request.has_suffix) {
    return Error{ErrorType::suffix_not_supported,
                 "Suffix is not supported and can be achieved by preprocessing the prompt."};
  }
  if (request.prompts > limits_.max_client_batch_size) {
    return Error{
        ErrorType::batch_size_exceeded,
        fmt::format("Number of prompts exceeds the maximum allowed batch size of {}", limits_.max_client_batch_size)};
  }
  if (request.prompts > 1) return invalid("`prompt` with more than one entry is not supported by this server");
  if (request.has_tools) return Error{ErrorType::tool_error, "Tool error: `tools` are not supported by this server"};
  if (request.has_images) return invalid("`messages` with content other than text is not supported by this server");
  return std::nullopt;
}

std::optional<Error> Validator::check_parameters(const GenerateParameters& p) const {
  if (is_not_positive(p.temperature)) return invalid("`temperature` must be strictly positive");
  if (is_not_positive(p.repetition_penalty)) return invalid("`repetition_penalty` must be strictly positive");
  if (p.frequency_penalty && !(*p.frequency_penalty >= -2.0F && *p.frequency_penalty <= 2.0F)) {
    return invalid("`frequency_penalty` must be >= -2.0 and <= 2.0");
  }
  if (is_outside_unit(p.top_p)) return invalid("`top_p` must be > 0.0 and < 1.0");
  if (is_outside_unit(p.typical_p)) return invalid("`typical_p` must be > 0.0 and < 1.0");
  if (p.top_k && *p.top_k <= 0) return invalid("`top_k` must be strictly positive");
  if (p.max_new_tokens == 0U) return invalid("`max_new_tokens` must be strictly positive");
  if (p.stop.size() > limits_.max_stop_sequences) {
    return invalid(
        fmt::format("`stop` supports up to {} stop sequences. Given: {}", limits_.max_stop_sequences, p.stop.size()));
  }
  if (p.top_n_tokens.value_or(0) > limits_.max_top_n_tokens) {
    return invalid(
        fmt::format("`top_n_tokens` must be >= 0 and <= {}. Given: {}", limits_.max_top_n_tokens, *p.top_n_tokens));
  }
  return std::nullopt;
}

std::optional<Error> Validator::check_prompt(const ModelInfo& model, const GenerateParameters& p,
                                             ValidRequest& valid) const {
  if (valid.prompt.empty()) return invalid("`inputs` cannot be empty");
  if (p.truncate && (*p.truncate == 0 || *p.truncate > model.max_input_tokens)) {
    return invalid(fmt::format("`truncate` must be strictly positive and less than {}. Given: {}",
                               model.max_input_tokens, *p.truncate));
  }
  if (p.truncate) valid.prompt = std::string(tokenizer::last_units(valid.prompt, *p.truncate));
  const std::uint64_t prompt = tokenizer::count_units(valid.prompt);
  const std::uint64_t counted = std::min(p.max_new_tokens.value_or(model.default_new_tokens), kSegmentTokens);
  if (prompt + counted > model.max_total_tokens) {
    return invalid(
        fmt::format("`inputs` tokens + `max_new_tokens` must be <= {}. Given: {} `inputs` tokens and {} "
                    "`max_new_tokens`",
                    model.max_total_tokens, prompt, counted));
  }
  if (prompt > model.max_input_tokens) {
    return invalid(fmt::format("`inputs` must have less than {} tokens. Given: {}", model.max_input_tokens, prompt));
  }
  valid.prompt_tokens = static_cast<std::uint32_t>(prompt);
  // An answer asked to be longer than the context ends with the context, with finish_reason "length".
  valid.max_new_tokens =
      std::min(p.max_new_tokens.value_or(model.default_new_tokens), model.max_total_tokens - valid.prompt_tokens);
  if (p.has_grammar) return invalid("grammar is not supported");
  if (p.watermark) return invalid("`watermark` is not supported by this server");
  return std::nullopt;
}

AnswerShape Validator::make_shape(const GenerateRequest& request, const ValidRequest& valid) const {
  const GenerateParameters& p = request.parameters;
  const std::string& served = models_[valid.model].served_name;
  AnswerShape shape;
  shape.route = request.route;
  shape.is_stream = request.stream;
  shape.has_details = p.details || p.decoder_input_details;
  shape.includes_usage = request.include_usage;
  shape.has_logprobs = request.logprobs;
  const bool echoes = request.route == Route::chat && !request.model.empty() && request.model != "tgi";
  shape.reported_model = echoes ? request.model : served;
  shape.seed = valid.sampling.seed;
  return shape;
}

Result<ValidatedRequest, Error> Validator::validate(GenerateRequest request, std::uint64_t fallback_seed) const {
  const GenerateParameters& p = request.parameters;
  if (request.stream && p.best_of && *p.best_of != 1) {
    return invalid("`best_of` != 1 is not supported when streaming tokens");
  }
  if (request.stream && p.decoder_input_details) {
    return invalid("`decoder_input_details` == true is not supported when streaming tokens");
  }
  if (p.best_of.value_or(1) > limits_.max_best_of) return invalid("`best_of` != 1 is not allowed for this endpoint");
  if (auto error = check_parameters(p)) return *error;

  ValidatedRequest out;
  out.request.model = choose_model(request);
  out.request.sampling = make_sampling(p, fallback_seed);
  out.shape = make_shape(request, out.request);
  // Only POST / shows the prompt by default: the served model's pipeline tag is unknown, as for a local checkpoint.
  if (p.return_full_text.value_or(request.route == Route::compat)) out.shape.full_text = request.inputs;
  auto prompt = render_prompt(request);
  if (!prompt) return prompt.error();
  out.request.prompt = std::move(*prompt);
  out.shape.prompt_characters = count_characters(out.request.prompt);
  if (auto error = check_prompt(models_[out.request.model], p, out.request)) return *error;
  out.shape.prompt_tokens = out.request.prompt_tokens;
  out.request.stop = std::move(request.parameters.stop);
  return out;
}

}  // namespace refserver
