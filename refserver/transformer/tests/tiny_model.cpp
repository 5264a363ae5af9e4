// Folders lie below the system's place for temporary files, named by process and count.
#include "refserver/transformer/tests/tiny_model.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <atomic>

namespace refserver {

SynthOptions tiny_options(Architecture architecture) {
  SynthOptions options;
  options.preset = architecture == Architecture::llama ? "tiny-llama" : "tiny-qwen2";
  return options;
}

TinyModel::TinyModel(const SynthOptions& options) {
  static std::atomic<int> made{0};
  path_ = std::filesystem::temp_directory_path() / fmt::format("plumbline-tiny-{}-{}", getpid(), made++);
  const auto report = write_synthetic_checkpoint(options, path_, {});
  if (report.has_error()) throw std::runtime_error(report.error().message());
  auto folder = open_model_folder(path_);
  if (folder.has_error()) throw std::runtime_error(folder.error().message());
  folder_ = std::move(*folder);
}

TinyModel::~TinyModel() {
  std::error_code ec;
  std::filesystem::remove_all(path_, ec);
}

TinyModel::Answers TinyModel::answer(std::shared_ptr<kernels::Backend> backend,
                                     const std::vector<RequestSpec>& specs) const {
  EngineSetup setup;
  setup.memory.context_tokens = 512;
  auto model = load_transformer_model(path_, backend, setup);
  if (model.has_error()) throw std::runtime_error(model.error());
  LocalRun run(model->scheduler, *model->vocabulary, *model->engine);
  for (const RequestSpec& spec : specs) EXPECT_FALSE(run.add(spec)) << spec.id;
  Answers answers;
  run.finish([&](const TokenEvent& event) { answers[event.request].push_back(event.token.id); });
  EXPECT_EQ(run.failed(), 0U);
  return answers;
}

}  // namespace refserver
