// Test support: a made-up model folder that goes when the test does, and requests answered by it.
#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <vector>

#include "refserver/checkpoint/synth/synth.hpp"
#include "refserver/transformer/engine_setup.hpp"
#include "refserver/transformer/local_run.hpp"

namespace refserver {

/// Of the tiny preset: 2 layers, 128 wide, weights as real folders have them.
SynthOptions tiny_options(Architecture architecture);

class TinyModel {
 public:
  explicit TinyModel(const SynthOptions& options);
  ~TinyModel();
  TinyModel(const TinyModel&) = delete;
  TinyModel& operator=(const TinyModel&) = delete;

  const std::filesystem::path& path() const { return path_; }
  const ModelFolder& folder() const { return folder_; }

  using Answers = std::map<RequestId, std::vector<TokenId>>;
  /// The tokens of each request when all are queued at once.
  Answers answer(std::shared_ptr<kernels::Backend> backend, const std::vector<RequestSpec>& specs) const;

 private:
  std::filesystem::path path_;
  ModelFolder folder_;
};

}  // namespace refserver
