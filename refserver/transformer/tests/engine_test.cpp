// What a request is answered must not depend on what else runs: alone, in a batch, in pieces, after a prefix-cache hit,
// after preemption, with drafts. In exact arithmetic all of these are the same bits.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <set>

#include "refserver/transformer/tests/tiny_model.hpp"

namespace refserver {
namespace {

using Answers = TinyModel::Answers;

std::shared_ptr<kernels::Backend> cpu(kernels::Precision precision = kernels::Precision::exact) {
  return *make_backend({.name = "", .precision = precision, .threads = 1});
}

SynthOptions quantised(Architecture architecture, bool is_scattered) {
  SynthOptions options = tiny_options(architecture);
  options.group_size = 32;
  options.desc_act = is_scattered;
  return options;
}

/// Sixteen requests, greedy and sampled, of lengths on both sides of a block; the last four begin like the fourth.
std::vector<RequestSpec> some_requests(std::size_t vocabulary) {
  std::mt19937 random(21);  // NOLINT: the same requests every time
  std::vector<RequestSpec> specs(16);
  for (std::size_t i = 0; i < specs.size(); ++i) {
    RequestSpec& spec = specs[i];
    spec.id = i + 1;
    spec.max_new_tokens = 24;
    spec.ignores_eos = true;
    spec.prompt.resize(3 + 7 * i);
    std::ranges::generate(spec.prompt, [&] { return static_cast<TokenId>(random() % vocabulary); });
    if (i >= 12) std::ranges::copy(std::span(specs[11].prompt).first(64), spec.prompt.begin());
    if (i % 2 == 0) continue;
    spec.sampling.is_greedy = false;
    spec.sampling.temperature = 0.9F;
    spec.sampling.top_p = 0.95F;
    spec.sampling.repetition_penalty = 1.1F;
    spec.sampling.seed = 100 + i;
  }
  return specs;
}

/// One model with one scheduler, its settings bent by `bend`.
struct Runner {
  Runner(const TinyModel& tiny, const std::shared_ptr<kernels::Backend>& backend,
         const std::function<void(EngineSetup&)>& set, const std::function<void(SchedulerConfig&)>& bend) {
    EngineSetup setup;
    setup.memory.context_tokens = 512;
    setup.memory.wanted_tokens = 16 * 512;
    if (set) set(setup);
    model.emplace(*load_transformer_model(tiny.path(), backend, setup));
    if (bend) bend(model->scheduler);
    run.emplace(model->scheduler, *model->vocabulary, *model->engine);
  }

  Answers answer(const std::vector<RequestSpec>& specs) {
    for (const RequestSpec& spec : specs) EXPECT_FALSE(run->add(spec)) << spec.id;
    Answers answers;
    run->finish([&](const TokenEvent& event) {
      answers[event.request].push_back(event.token.id);
      cached = std::max(cached, event.cached_tokens);
    });
    EXPECT_EQ(run->failed(), 0U);
    return answers;
  }
  /// Each on its own, one after the other.
  Answers answer_alone(const std::vector<RequestSpec>& specs) {
    Answers answers;
    for (const RequestSpec& spec : specs) answers.merge(answer({spec}));
    return answers;
  }
  const SchedulerCounters& counters() const { return run->scheduler().counters(); }

  std::optional<TransformerModel> model;
  std::optional<LocalRun> run;
  std::uint32_t cached = 0;
};

void without_cache(SchedulerConfig& config) {
  config.has_prefix_cache = false;
}

class Batching : public ::testing::TestWithParam<std::tuple<Architecture, kernels::Precision>> {
 protected:
  Architecture architecture() const { return std::get<0>(GetParam()); }
  kernels::Precision precision() const { return std::get<1>(GetParam()); }
  TinyModel tiny_{quantised(architecture(), architecture() == Architecture::llama)};
  std::vector<RequestSpec> specs_ = some_requests(tiny_.folder().tokenizer->size());
  Answers alone_ = Runner(tiny_, cpu(precision()), nullptr, without_cache).answer_alone(specs_);
};

TEST_P(Batching, AnswersAreNotAllAlike) {
  std::set<std::vector<TokenId>> different;
  for (const auto& [id, tokens] : alone_) {
    EXPECT_EQ(tokens.size(), 24U);
    different.insert(tokens);
  }
  EXPECT_EQ(different.size(), specs_.size());
}

TEST_P(Batching, SixteenTogetherAnswerAsEachAlone) {
  Runner together(tiny_, cpu(precision()), nullptr, without_cache);
  EXPECT_EQ(together.answer(specs_), alone_);
  EXPECT_LT(together.counters().steps, 40U) << "they did run together";
}

TEST_P(Batching, PromptsInPiecesAndPassesThatCutSteps) {
  Runner pieces(
      tiny_, cpu(precision()),
      [](EngineSetup& setup) {
        setup.memory.pass_rows = 7;
        setup.memory.logit_rows = 3;
      },
      [](SchedulerConfig& config) {
        config.has_prefix_cache = false;
        config.max_chunk_tokens = 13;
        config.max_batch_prefill_tokens = 40;
      });
  EXPECT_EQ(pieces.answer(specs_), alone_);
}

TEST_P(Batching, PrefixesFromTheCache) {
  Runner cached(tiny_, cpu(precision()), nullptr, nullptr);
  EXPECT_EQ(cached.answer(specs_), alone_);
  auto again = specs_;
  for (RequestSpec& spec : again) spec.id += 100;
  Answers expected;
  for (const auto& [id, tokens] : alone_) expected[id + 100] = tokens;
  EXPECT_EQ(cached.answer(again), expected);
  EXPECT_GE(cached.cached, 64U) << "prompts were found in the cache";
}

TEST_P(Batching, PreemptedRequestsGoOnAsIfNothingHadBeen) {
  Runner tight(tiny_, cpu(precision()), nullptr, [](SchedulerConfig& config) {
    config.has_prefix_cache = false;
    config.pool.blocks = 26;
    config.max_total_tokens = 200;
    config.max_batch_prefill_tokens = 128;
    config.watermark = 0;
  });
  EXPECT_EQ(tight.answer(specs_), alone_);
  EXPECT_GT(tight.counters().preemptions, 0U);
}

INSTANTIATE_TEST_SUITE_P(Models, Batching,
                         ::testing::Combine(::testing::Values(Architecture::qwen2, Architecture::llama),
                                            ::testing::Values(kernels::Precision::exact, kernels::Precision::fast)),
                         [](const auto& instance) {
                           return std::string(name_of(std::get<0>(instance.param))) +
                                  (std::get<1>(instance.param) == kernels::Precision::exact ? "_exact" : "_fast");
                         });

/// Proposes what is right, what is wrong, or nothing, by position; the answers must not show it.
class Guessing final : public StepEngine {
 public:
  Guessing(StepEngine& engine, std::vector<TokenId> truth) : engine_(engine), truth_(std::move(truth)) {}
  void run(const StepPlan& plan, TimePoint start, StepResult& result) override {
    engine_.run(plan, start, result);
    for (std::size_t i = 0; i < plan.rows.size(); ++i) {
      if (!plan.rows[i].wants_token) continue;
      accepted += result.rows[i].accepted.size();
      std::size_t next = plan.rows[i].produced + result.rows[i].accepted.size() + 1;
      for (int guess = 0; guess < 3 && next < truth_.size(); ++guess, ++next) {
        result.rows[i].drafts.push_back(next % 5 == 0 ? truth_[next] + 1 : truth_[next]);
      }
    }
  }
  void release(RequestId sequence) override { engine_.release(sequence); }
  std::size_t accepted = 0;

 private:
  StepEngine& engine_;
  std::vector<TokenId> truth_;
};

TEST(TransformerEngine, DraftsChangeSpeedAndNothingElse) {
  const TinyModel tiny(quantised(Architecture::qwen2, false));
  for (std::size_t i : {4U, 5U}) {  // greedy, and sampled with a penalty
    std::vector<RequestSpec> specs{some_requests(tiny.folder().tokenizer->size())[i]};
    specs[0].prompt.resize(20);
    Runner plain(tiny, cpu(), nullptr, nullptr);
    const Answers expected = plain.answer(specs);
    Runner drafting(tiny, cpu(), nullptr, [](SchedulerConfig& config) { config.max_drafts = 3; });
    Guessing guessing(*drafting.model->engine, expected.at(specs[0].id));
    drafting.run.emplace(drafting.model->scheduler, *drafting.model->vocabulary, guessing);
    EXPECT_EQ(drafting.answer(specs), expected);
    EXPECT_GE(guessing.accepted, 8U);
    EXPECT_LT(drafting.counters().steps, 20U);
  }
}

TEST(TransformerEngine, GivesTextLogProbabilitiesAndAlternatives) {
  const TinyModel tiny(quantised(Architecture::llama, true));
  Runner runner(tiny, cpu(), nullptr, nullptr);
  RequestSpec spec;
  spec.id = 1;
  spec.prompt = tiny.folder().tokenizer->encode("A plumb line is");
  spec.max_new_tokens = 8;
  spec.ignores_eos = true;
  spec.top_n_tokens = 3;
  ASSERT_FALSE(runner.run->add(spec));
  std::vector<TokenId> ids;
  std::string text;
  runner.run->finish([&](const TokenEvent& event) {
    ids.push_back(event.token.id);
    text += event.token.text;
    ASSERT_GE(event.top_tokens.size(), 3U);
    EXPECT_EQ(event.top_tokens[0].id, event.token.id);
    EXPECT_FLOAT_EQ(event.top_tokens[0].logprob, event.token.logprob);
    EXPECT_GE(event.top_tokens[0].logprob, event.top_tokens[1].logprob);
    EXPECT_LT(event.token.logprob, 0);
  });
  EXPECT_EQ(ids.size(), 8U);
  EXPECT_EQ(text, tiny.folder().tokenizer->decode(ids, tokenizer::SpecialText::keep));
}

TEST(TransformerEngine, EndTokensWaitForTheLeastLength) {
  const TinyModel tiny(quantised(Architecture::qwen2, false));
  RequestSpec spec;
  spec.id = 1;
  spec.prompt = {5, 6, 7};
  spec.max_new_tokens = 12;
  spec.ignores_eos = true;
  const auto truth = tiny.answer(cpu(), {spec}).at(1);
  // Whatever the model says third is made the end of sequences.
  EngineSetup setup;
  setup.memory.context_tokens = 64;
  for (const std::uint32_t least : {0U, 6U}) {
    const auto backend = cpu();
    auto model = *load_transformer_model(tiny.path(), backend, setup);
    const std::vector<TokenId> end{truth[2]};
    auto weights = upload_weights(*backend, model.folder.checkpoint, HeadStorage::as_stored);
    TransformerEngineOptions options;
    options.usable_tokens = model.folder.tokenizer->size();
    options.end_tokens = end;
    TransformerEngine engine(
        std::make_unique<Transformer>(backend, std::make_shared<const ModelWeights>(std::move(*weights)),
                                      TransformerLimits{.rows = 16, .logit_rows = 4, .blocks = 9, .block_tokens = 16}),
        std::move(options));
    const TokenVocabulary vocabulary(model.folder.tokenizer, end);
    model.scheduler.max_batch_prefill_tokens = 64;
    LocalRun run(model.scheduler, vocabulary, engine);
    RequestSpec request = spec;
    request.ignores_eos = false;
    request.min_new_tokens = least;
    ASSERT_FALSE(run.add(request));
    std::vector<TokenId> ids;
    run.finish([&](const TokenEvent& event) { ids.push_back(event.token.id); });
    if (least == 0) {
      EXPECT_EQ(ids, std::vector<TokenId>(truth.begin(), truth.begin() + 3));
    } else {
      ASSERT_GE(ids.size(), 6U);
      EXPECT_THAT(std::vector<TokenId>(ids.begin(), ids.begin() + 6), ::testing::Each(::testing::Ne(end[0])));
    }
  }
}

}  // namespace
}  // namespace refserver
