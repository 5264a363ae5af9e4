// Plan first, then memory: nothing is allocated that does not fit.
#include "refserver/transformer/engine_setup.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <new>
#include <utility>

namespace refserver {
namespace {

constexpr std::uint64_t kUsualContext = 4096;

}  // namespace

Result<std::shared_ptr<kernels::Backend>, std::string> make_backend(const BackendChoice& choice) {
  using Made = Result<std::shared_ptr<kernels::Backend>, std::string>;
  std::string names;
  for (auto& backend : kernels::available_backends({choice.precision, choice.threads})) {
    if (choice.name.empty() || choice.name == backend->name()) {
      return Made{boost::system::in_place_value, std::move(backend)};
    }
    names += fmt::format("{}{}", names.empty() ? "" : ", ", backend->name());
  }
  return Made{boost::system::in_place_error, fmt::format("this machine has no backend {}, but {}", choice.name, names)};
}

Result<TransformerModel, std::string> load_transformer_model(const std::filesystem::path& folder,
                                                             const std::shared_ptr<kernels::Backend>& backend,
                                                             const EngineSetup& setup) {
  auto opened = open_model_folder(folder);
  if (opened.has_error()) return opened.error().message();
  return load_transformer_model(std::move(*opened), backend, setup);
}

Result<TransformerModel, std::string> load_transformer_model(ModelFolder folder,
                                                             const std::shared_ptr<kernels::Backend>& backend,
                                                             const EngineSetup& setup) {
  TransformerModel model;
  model.folder = std::move(folder);
  const std::string& name = model.folder.name;
  const ModelConfig& config = model.folder.checkpoint->config();
  HostMemoryRequest request = setup.memory;
  if (request.context_tokens == 0)
    request.context_tokens = std::min<std::uint64_t>(config.max_positions, kUsualContext);
  if (request.context_tokens > config.max_positions) {
    return fmt::format("{}: has {} positions, too few for a context of {}", name, config.max_positions,
                       request.context_tokens);
  }
  request.logit_rows = std::min(request.logit_rows, setup.max_batch_size);
  auto plan = plan_host_memory(*model.folder.checkpoint, request);
  if (plan.has_error()) return fmt::format("{}: {}", name, plan.error());
  model.memory = *plan;
  auto weights = upload_weights(*backend, model.folder.checkpoint, request.head);
  if (weights.has_error()) return fmt::format("{}: {}", name, weights.error().text);
  const TransformerLimits limits{.rows = request.pass_rows,
                                 .logit_rows = request.logit_rows,
                                 .blocks = model.memory.kv_blocks,
                                 .block_tokens = request.block_tokens,
                                 .kv_type = request.kv_type};
  auto transformer =
      std::make_unique<Transformer>(backend, std::make_shared<const ModelWeights>(std::move(*weights)), limits);
  model.vocabulary = std::make_unique<TokenVocabulary>(model.folder.vocabulary());
  TransformerEngineOptions options;
  options.usable_tokens = model.folder.tokenizer->size();
  options.end_tokens = model.folder.end_tokens;
  model.engine = std::make_unique<TransformerEngine>(std::move(transformer), std::move(options));
  model.scheduler.pool = {.model = name, .blocks = model.memory.kv_blocks, .block_size = request.block_tokens};
  model.scheduler.max_total_tokens = static_cast<std::uint32_t>(request.context_tokens);
  model.scheduler.max_batch_size = setup.max_batch_size;
  // One pass per step: whoever is decoding waits for no more than that of somebody else's prompt.
  model.scheduler.max_batch_prefill_tokens = static_cast<std::uint32_t>(
      std::min<std::uint64_t>(request.pass_rows, model.memory.kv_tokens(request.block_tokens)));
  return Result<TransformerModel, std::string>{boost::system::in_place_value, std::move(model)};
}

}  // namespace refserver
