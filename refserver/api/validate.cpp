// The checks, in the order and words of TGI 3.3.7.
#include "refserver/api/validate.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace refserver {
namespace {

Error invalid(std::string_view text) {
  return {ErrorType::validation, fmt::format("Input validation error: {}", text)};
}

bool is_outside_unit(std::optional<float> value) {
  return value && !(*value > 0.0F && *value < 1.0F);
}
bool is_not_positive(std::optional<float> value) {
  return value && !(*value > 0.0F);
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

std::uint64_t count_characters(std::string_view utf8) {
  return static_cast<std::uint64_t>(
      std::count_if(utf8.begin(), utf8.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xC0U) != 0x80U; }));
}

std::optional<Error> Validator::refuse_before_permit(const GenerateRequest& request) const {
  const std::optional<std::uint64_t>& best_of = request.parameters.best_of;
  if (request.stream && best_of.value_or(1) != 1) {
    return invalid("`best_of` != 1 is not supported when streaming tokens");
  }
  if (request.stream && request.parameters.decoder_input_details) {
    return invalid("`decoder_input_details` == true is not supported when streaming tokens");
  }
  if (best_of.value_or(1) <= 1) return std::nullopt;
  if (limits_.max_best_of == 1) return invalid("`best_of` != 1 is not allowed for this endpoint");
  if (*best_of > limits_.max_best_of) {
    return invalid(fmt::format("`best_of` must be > 0 and <= {}. Given: {}", limits_.max_best_of, *best_of));
  }
  return std::nullopt;
}

std::optional<Error> Validator::check_parameters(const GenerateParameters& p) const {
  const bool is_best_of = p.best_of.value_or(1) > 1;
  if (is_best_of && !p.do_sample && !p.temperature && !p.top_k && !p.top_p && !p.typical_p) {
    return invalid("you must use sampling when `best_of` is > 1");
  }
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
  if (is_best_of && p.seed) return invalid("`seed` must not be set when `best_of` > 1");
  if (p.top_n_tokens.value_or(0) > limits_.max_top_n_tokens) {
    return invalid(
        fmt::format("`top_n_tokens` must be >= 0 and <= {}. Given: {}", limits_.max_top_n_tokens, *p.top_n_tokens));
  }
  return std::nullopt;
}

std::optional<Error> Validator::check_prompt(const GenerateRequest& request, ValidatedRequest& valid) const {
  const ModelInfo& model = models_[request.model_index];
  const GenerateParameters& p = request.parameters;
  if (request.inputs.empty()) return invalid("`inputs` cannot be empty");
  if (p.truncate && (*p.truncate == 0 || *p.truncate > model.max_input_tokens)) {
    return invalid(fmt::format("`truncate` must be strictly positive and less than {}. Given: {}",
                               model.max_input_tokens, *p.truncate));
  }
  ValidRequest& out = valid.request;
  out.prompt_ids = model.tokenizer->encode(request.inputs, encode_options(request.adds_special_tokens));
  if (out.prompt_ids.empty()) return invalid("`inputs` cannot be empty");
  if (p.truncate && *p.truncate < out.prompt_ids.size()) {
    out.prompt_ids.erase(out.prompt_ids.begin(), out.prompt_ids.end() - static_cast<std::ptrdiff_t>(*p.truncate));
    out.prompt = model.tokenizer->decode(out.prompt_ids, tokenizer::SpecialText::keep);
  } else {
    out.prompt = request.inputs;
  }
  out.prompt_tokens = static_cast<std::uint32_t>(std::min<std::size_t>(out.prompt_ids.size(), UINT32_MAX));
  if (auto error = count_new_tokens(model, p, valid)) return error;
  if (p.has_grammar) return invalid("grammar is not supported");
  if (p.min_tokens.value_or(0) > valid.total_new_tokens) {
    return invalid(fmt::format("`min_tokens` must be <= {}, the longest answer possible here. Given: {}",
                               valid.total_new_tokens, *p.min_tokens));
  }
  return std::nullopt;
}

std::optional<Error> Validator::count_new_tokens(const ModelInfo& model, const GenerateParameters& p,
                                                 ValidatedRequest& valid) const {
  const std::uint32_t prompt = valid.request.prompt_tokens;
  const std::uint32_t room = model.max_total_tokens - std::min(model.max_total_tokens, prompt);
  const std::uint32_t unasked = is_strict() ? room : std::min(room, model.default_new_tokens);
  const std::uint32_t asked = p.max_new_tokens.value_or(unasked);
  const std::uint32_t counted = std::min(asked, kSegmentTokens);
  if (std::uint64_t{prompt} + counted > model.max_total_tokens) {
    return invalid(
        fmt::format("`inputs` tokens + `max_new_tokens` must be <= {}. Given: {} `inputs` tokens and {} "
                    "`max_new_tokens`",
                    model.max_total_tokens, prompt, counted));
  }
  if (prompt > model.max_input_tokens) {
    return invalid(fmt::format("`inputs` must have less than {} tokens. Given: {}", model.max_input_tokens, prompt));
  }
  // Outside of the strict dialect an answer comes in one go; asked to be longer than the context, it ends with it.
  valid.total_new_tokens = is_strict() ? asked : std::min(asked, room);
  valid.request.max_new_tokens = is_strict() ? counted : valid.total_new_tokens;
  return std::nullopt;
}

AnswerShape Validator::make_shape(const GenerateRequest& request, const ValidRequest& valid) const {
  const GenerateParameters& p = request.parameters;
  const std::string& served = models_[valid.model].served_name;
  AnswerShape shape;
  shape.route = request.route;
  shape.dialect = limits_.dialect;
  shape.is_stream = request.stream;
  shape.has_details = p.details || (p.decoder_input_details && request.route != Route::completions);
  shape.has_top_tokens = p.top_n_tokens.value_or(0) > 0;
  shape.includes_usage = request.include_usage;
  shape.has_logprobs = request.logprobs;
  const bool echoes = request.route == Route::chat && !request.model.empty() && request.model != "tgi";
  shape.reported_model = echoes ? request.model : served;
  shape.seed = valid.sampling.seed;
  shape.prompt_tokens = valid.prompt_tokens;
  shape.prompt_characters = count_characters(request.inputs);
  // Only POST / shows the prompt by default: the served model's pipeline tag is unknown, as for a local checkpoint.
  if (p.return_full_text.value_or(request.route == Route::compat)) shape.full_text = request.inputs;
  return shape;
}

Result<ValidatedRequest, Error> Validator::validate(const GenerateRequest& request, std::uint64_t fallback_seed) const {
  const GenerateParameters& p = request.parameters;
  if (auto error = check_parameters(p)) return *error;
  ValidatedRequest out;
  if (auto error = check_prompt(request, out)) return *error;
  out.request.model = request.model_index;
  out.request.sampling = make_sampling(p, fallback_seed);
  out.request.ignore_eos = p.ignore_eos;
  out.request.min_new_tokens = p.min_tokens.value_or(0);
  out.request.top_n_tokens = p.top_n_tokens.value_or(0);
  out.request.reads_prefix_cache = !p.decoder_input_details;
  out.request.stop = p.stop;
  out.shape = make_shape(request, out.request);
  return out;
}

}  // namespace refserver
