// Flags and files through one table: what they set, which wins, and errors that name the place and the fix.
#include "refserver/config.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdio>
#include <filesystem>
#include <fstream>

#include "refserver/duration.hpp"

namespace refserver {
namespace {

using ::testing::HasSubstr;
using namespace std::chrono_literals;

CommandLine parse(std::vector<const char*> arguments) {
  arguments.insert(arguments.begin(), {"refserver", "serve"});
  return parse_command_line(static_cast<int>(arguments.size()), arguments.data());
}

/// What is printed on stderr for bad usage.
std::string complaint(std::vector<const char*> arguments) {
  ::testing::internal::CaptureStderr();
  const CommandLine command = parse(std::move(arguments));
  EXPECT_FALSE(command.serve);
  EXPECT_EQ(command.code, ExitCode::bad_usage);
  return ::testing::internal::GetCapturedStderr();
}

class ConfigFile {
 public:
  explicit ConfigFile(const std::string& text)
      : path_(::testing::TempDir() + "refserver_config_" + std::to_string(getpid()) + ".yaml") {
    std::ofstream(path_) << text;
  }
  ~ConfigFile() { std::remove(path_.c_str()); }
  const char* path() const { return path_.c_str(); }

 private:
  std::string path_;
};

TEST(Duration, NumberAndUnit) {
  EXPECT_EQ(parse_duration("100ms"), 100ms);
  EXPECT_EQ(parse_duration("1.5s"), 1500ms);
  EXPECT_EQ(parse_duration("250us"), 250us);
  EXPECT_EQ(parse_duration("0s"), 0s);
  EXPECT_EQ(parse_duration("1h"), 1h);
  for (const char* const bad : {"", "ms", "5", "-1s", "1 s", "2h", "1e3s", "nans", "1msx", "infs"}) {
    EXPECT_EQ(parse_duration(bad), std::nullopt) << bad;
  }
}

TEST(Config, AFolderAloneIsAModelNamedByItsLastPart) {
  const std::string folder = ::testing::TempDir() + "refserver_config_folder/";
  std::filesystem::create_directory(folder);
  EXPECT_EQ(parse({"--model-id", folder.c_str()}).serve->models.front().name, "refserver_config_folder");
  EXPECT_EQ(parse({"--model-id", folder.c_str()}).serve->folders.front(), folder);
  const auto unknown = parse({"--model-id", "Qwen/no-such-folder"}).serve;
  EXPECT_EQ(unknown->models.front().name, "Qwen/no-such-folder");
  EXPECT_EQ(unknown->folders.front(), "");
  std::filesystem::remove(folder);
}

TEST(Config, DefaultsServeBothModels) {
  const auto config = parse({}).serve;
  ASSERT_TRUE(config);
  ASSERT_EQ(config->models.size(), 2U);
  EXPECT_EQ(config->models[0].served_name, "Qwen2-7B-Instruct-GPTQ-Int4");
  EXPECT_EQ(config->models[1].served_name, "Meta-Llama-3.1-8B-Instruct-GPTQ-INT4");
  EXPECT_EQ(config->http.max_concurrent_requests, 128U);
  EXPECT_EQ(config->engines[0].ttft.draw(0.5), 100ms);
  EXPECT_EQ(config->engines[1].gap.draw(0.5), 20ms);
  EXPECT_TRUE(config->stalls.empty());
}

TEST(Config, FlagsOfTheDocumentedCommand) {
  const auto config = parse({"--port",
                             "0",
                             "--engine",
                             "simulated",
                             "--sim-ttft",
                             "80ms",
                             "--sim-gap",
                             "9ms",
                             "--model",
                             "llama3",
                             "--model",
                             "mine",
                             "--max-concurrent-requests",
                             "300",
                             "--truth-log",
                             "/tmp/x",
                             "--sim-stall",
                             "3s+2s",
                             "--graceful-termination-timeout",
                             "5s"})
                          .serve;
  ASSERT_TRUE(config);
  EXPECT_EQ(config->http.port, 0);
  ASSERT_EQ(config->models.size(), 2U);
  EXPECT_EQ(config->models[0].name, "llama3");
  EXPECT_EQ(config->models[1].served_name, "mine");
  EXPECT_EQ(config->engines[1].ttft.draw(0.5), 80ms);
  EXPECT_EQ(config->engines[1].gap.draw(0.5), 9ms);
  EXPECT_EQ(config->http.max_concurrent_requests, 300U);
  EXPECT_EQ(config->truth_log, "/tmp/x");
  EXPECT_EQ(config->stalls.at(0).after, 3s);
  EXPECT_EQ(config->stalls.at(0).length, 2s);
  EXPECT_EQ(config->http.graceful_termination_timeout, 5s);
}

TEST(Config, FileThenFlags) {
  const ConfigFile file(
      "port: 1\nsim_ttft: 50ms\nmax_total_tokens: 4096\nmodels:\n  - qwen2\n"
      "  - name: big\n    served_name: Big-Model\n    sim_ttft: 300ms\n    max_total_tokens: 100\n");
  const auto config = parse({"--config", file.path(), "--port", "2"}).serve;
  ASSERT_TRUE(config);
  EXPECT_EQ(config->http.port, 2);
  ASSERT_EQ(config->models.size(), 2U);
  EXPECT_EQ(config->models[0].max_input_tokens, 4095U);
  EXPECT_EQ(config->models[1].served_name, "Big-Model");
  EXPECT_EQ(config->models[1].max_input_tokens, 99U);
  EXPECT_EQ(config->engines[0].ttft.draw(0.5), 50ms);
  EXPECT_EQ(config->engines[1].ttft.draw(0.5), 300ms);
  EXPECT_EQ(config->engines[1].gap.draw(0.5), 20ms);
}

TEST(Config, JsonIsTheSameFile) {
  const ConfigFile file(R"({"sim_gap": "5ms", "models": [{"name": "qwen2", "sim_gap": "7ms"}]})");
  const auto config = parse({"--config", file.path()}).serve;
  ASSERT_TRUE(config);
  EXPECT_EQ(config->engines[0].gap.draw(0.5), 7ms);
}

TEST(Config, TheShippedExampleLoads) {
  EXPECT_TRUE(parse({"--config", PLUMBLINE_SOURCE_DIR "/refserver/config.example.yaml"}).serve);
}

TEST(Config, TheEngineThatComputesIsSetByFileAndFlags) {
  const ConfigFile file(
      "engine: cpu\ncpu_threads: 3\ncpu_precision: fast\ncpu_backend: cpu-portable\ncpu_lm_head: int8\ncpu_kv: bf16\n"
      "cpu_memory_mb: 4000\nmodels:\n  - name: m\n    folder: /nonexistent\n");
  const auto from_file = parse({"--config", file.path()}).serve;
  ASSERT_TRUE(from_file);
  EXPECT_EQ(from_file->cpu.backend.threads, 3U);
  EXPECT_EQ(from_file->cpu.backend.precision, kernels::Precision::fast);
  EXPECT_EQ(from_file->cpu.backend.name, "cpu-portable");
  EXPECT_EQ(from_file->cpu.head, HeadStorage::int8);
  EXPECT_EQ(from_file->cpu.kv_type, kernels::KvType::bf16);
  EXPECT_EQ(from_file->cpu.memory_mb, 4000U);
  const auto flags_win = parse({"--config", file.path(), "--cpu-threads", "0", "--cpu-precision", "exact", "--cpu-kv",
                                "f32", "--cpu-lm-head", "int4"})
                             .serve;
  ASSERT_TRUE(flags_win);
  EXPECT_EQ(flags_win->cpu.backend.threads, 0U);
  EXPECT_EQ(flags_win->cpu.backend.precision, kernels::Precision::exact);
  EXPECT_EQ(flags_win->cpu.kv_type, kernels::KvType::f32);
  EXPECT_EQ(flags_win->cpu.head, HeadStorage::int4);
}

TEST(Config, ErrorsOfTheEngineThatComputesNameWhatThereIs) {
  EXPECT_THAT(complaint({"--cpu-threads", "1025"}),
              HasSubstr("--cpu-threads: '1025' is not a whole number from 0 to 1024"));
  EXPECT_THAT(complaint({"--cpu-threads", "two"}),
              HasSubstr("--cpu-threads: 'two' is not a whole number from 0 to 1024"));
  EXPECT_THAT(complaint({"--cpu-precision", "half"}),
              HasSubstr("--cpu-precision: 'half' is not a precision; there are: exact, fast"));
  EXPECT_THAT(complaint({"--cpu-lm-head", "int3"}),
              HasSubstr("--cpu-lm-head: 'int3' is not a form of the output layer; there are: stored, int8, int4"));
  EXPECT_THAT(complaint({"--cpu-kv", "f16"}),
              HasSubstr("--cpu-kv: 'f16' is not a form of keys and values; there are: f32, bf16"));
  EXPECT_THAT(complaint({"--cpu-memory-mb", "-1"}), HasSubstr("--cpu-memory-mb: '-1' is not a whole number"));
  EXPECT_THAT(complaint({"--engine", "cpu", "--model", "m"}), HasSubstr("needs its checkpoint"));
}

TEST(Config, FlagErrorsNameTheFlagAndTheFix) {
  EXPECT_THAT(complaint({"--port", "70000"}), HasSubstr("--port: '70000' is not a whole number from 0 to 65535"));
  EXPECT_THAT(complaint({"--sim-ttft", "100"}), HasSubstr("--sim-ttft: '100' is not a distribution such as 20ms"));
  EXPECT_THAT(complaint({"--sim-stall", "3s"}), HasSubstr("--sim-stall: '3s' is not a stall, AT+FOR, such as 3s+2s"));
  EXPECT_THAT(complaint({"--engine", "gpu"}),
              HasSubstr("--engine: 'gpu' is not an engine; there are: simulated, cost"));
  EXPECT_THAT(complaint({"--model", "a", "--model", "a"}), HasSubstr("model a: named twice"));
  EXPECT_THAT(complaint({"--host", "localhost"}), HasSubstr("--host: 'localhost' is not an IP address"));
  EXPECT_THAT(complaint({"--no-such-flag"}), HasSubstr("--no-such-flag"));
  EXPECT_THAT(complaint({"--config", "/nonexistent.yaml"}), HasSubstr("/nonexistent.yaml: cannot be read"));
}

TEST(Config, TheSchedulerGetsWhatWasAskedAndFitsItself) {
  const auto config = parse({"--scheduler", "static", "--admission", "reserve", "--block-size", "32",
                             "--max-batch-total-tokens", "40000", "--queue-timeout", "3s", "--max-waiting-requests",
                             "9", "--prefill-chunking", "0", "--engine", "cost"})
                          .serve;
  ASSERT_TRUE(config);
  const PoolLimits limits = pool_limits(config->engines[0], config->http.max_concurrent_requests);
  const SchedulerConfig scheduler = make_scheduler_config(config->scheduler, config->models[0], limits);
  EXPECT_EQ(scheduler.batch, BatchKind::fixed);
  EXPECT_EQ(scheduler.admission, AdmissionKind::reserve);
  EXPECT_EQ(scheduler.prefill, PrefillKind::separate);
  EXPECT_EQ(scheduler.pool.block_size, 32U);
  EXPECT_EQ(scheduler.pool.blocks, 1251U);
  EXPECT_EQ(scheduler.queue_timeout, 3s);
  EXPECT_EQ(scheduler.max_waiting_requests, 9U);
  EXPECT_EQ(scheduler.max_batch_prefill_tokens, 32767U);  // a prompt that is not cut must fit
  EXPECT_GT(config->engines[0].cost.base, 0);
  EXPECT_NE(config->engines[0].cost.weights, config->engines[1].cost.weights);
  EXPECT_THAT(describe(scheduler, 57'344), HasSubstr("1250 blocks of 32 tokens = 40000 tokens = 2.14 GiB"));
}

TEST(Config, SimulatedCachesGrowWithTheRequestsUpToALimit) {
  EXPECT_EQ(pool_limits({}, 128).kv_tokens, 2U << 20U);
  EXPECT_EQ(pool_limits({}, 4096).kv_tokens, 4U << 20U);
  EXPECT_EQ(pool_limits({}, 1'000'000).kv_tokens, 16U << 20U);
}

TEST(Config, ACacheThatIsTooSmallIsRefusedWithTheNumbers) {
  EXPECT_THAT(complaint({"--max-batch-total-tokens", "1000"}),
              HasSubstr("model qwen2: max_total_tokens (32768) needs 2048 blocks of 16 slots; the pool has 62"));
  EXPECT_THAT(complaint({"--scheduler", "magic"}), HasSubstr("there are: continuous, static, serial"));
  EXPECT_THAT(complaint({"--engine", "cost", "--sim-preset", "nothing"}), HasSubstr("sim_preset of model qwen2"));
  EXPECT_THAT(complaint({"--faults", "/nonexistent.yaml"}), HasSubstr("--faults: /nonexistent.yaml: cannot be read"));
  EXPECT_THAT(complaint({"--sim-draft-acceptance", "2"}), HasSubstr("'2' is not a number from 0 to 1"));
}

TEST(Config, FileErrorsNameLineAndField) {
  const auto in_file = [](const std::string& text) {
    const ConfigFile file(text);
    return complaint({"--config", file.path()});
  };
  EXPECT_THAT(in_file("host: 127.0.0.1\nprot: 1\n"), HasSubstr(".yaml:2: prot: unknown field; there are models, host"));
  EXPECT_THAT(in_file("port: [1]\n"), HasSubstr(".yaml:1: port:"));
  EXPECT_THAT(in_file("a: b\n c: [\n"), HasSubstr(".yaml:2: "));
  EXPECT_THAT(in_file("models:\n  - name: x\n    sim_ttft: soon\n"),
              HasSubstr(".yaml:3: models.sim_ttft: 'soon' is not a distribution such as 20ms"));
  EXPECT_THAT(in_file("models:\n  - served_name: x\n"), HasSubstr(".yaml:2: models: an entry has no name"));
  EXPECT_THAT(in_file("models: qwen2\n"), HasSubstr("models: expected a list"));
  EXPECT_THAT(in_file("- 1\n"), HasSubstr("expected a mapping of fields"));
  EXPECT_THAT(in_file("max_total_tokens: 10\nmax_input_tokens: 10\n"), HasSubstr("must be less than max_total_tokens"));
}

class Variable {
 public:
  Variable(const char* name, const char* value) : name_(name) { ::setenv(name, value, 1); }
  ~Variable() { ::unsetenv(name_); }

 private:
  const char* name_;
};

TEST(Launcher, TgisLimitsAndSchedulerFlagsAct) {
  const auto config = parse({"--max-best-of",
                             "7",
                             "--max-stop-sequences",
                             "0",
                             "--max-top-n-tokens",
                             "9",
                             "--max-client-batch-size",
                             "3",
                             "--max-input-length",
                             "100",
                             "--max-total-tokens",
                             "200",
                             "--validation-workers",
                             "4",
                             "--max-batch-prefill-tokens",
                             "512",
                             "--max-batch-total-tokens",
                             "9999",
                             "--max-batch-size",
                             "8",
                             "--waiting-served-ratio",
                             "1.2",
                             "--max-waiting-tokens",
                             "5",
                             "--payload-limit",
                             "1000",
                             "--hostname",
                             "0.0.0.0",
                             "--graceful-termination-timeout",
                             "7",
                             "--json-output",
                             "--disable-grammar-support"})
                          .serve;
  ASSERT_TRUE(config);
  EXPECT_EQ(config->limits.max_best_of, 7U);
  EXPECT_EQ(config->limits.max_stop_sequences, 0U);
  EXPECT_EQ(config->limits.max_top_n_tokens, 9U);
  EXPECT_EQ(config->limits.max_client_batch_size, 3U);
  EXPECT_EQ(config->limits.dialect, Dialect::extended);
  EXPECT_EQ(config->models[0].max_input_tokens, 100U);
  EXPECT_EQ(config->http.validation_workers, 4U);
  EXPECT_EQ(config->scheduler.max_batch_prefill_tokens, 512U);
  EXPECT_EQ(config->scheduler.max_batch_total_tokens, 9999U);
  EXPECT_EQ(config->scheduler.max_batch_size, 8U);
  EXPECT_EQ(config->scheduler.waiting_served_ratio, 1.2);
  EXPECT_EQ(config->scheduler.max_waiting_tokens, 5U);
  EXPECT_EQ(config->http.body_limit_bytes, 1000U);
  EXPECT_EQ(config->http.host, "0.0.0.0");
  EXPECT_EQ(config->http.graceful_termination_timeout, 7s);
  EXPECT_TRUE(config->http.has_json_logs);
  EXPECT_TRUE(config->notes.empty());
}

TEST(Launcher, WhatDoesNothingIsAcceptedAndSaid) {
  const auto config = parse({"--cuda-graphs", "0", "--usage-stats", "off", "--num-shard", "1", "--quantize", "gptq",
                             "--shard-uds-path", "/x"})
                          .serve;
  ASSERT_TRUE(config);
  ASSERT_EQ(config->notes.size(), 5U);
  EXPECT_THAT(config->notes[0], HasSubstr("--cuda-graphs has no effect"));
}

TEST(Launcher, WhatCannotBeDoneIsRefusedByName) {
  EXPECT_THAT(complaint({"--num-shard", "2"}),
              HasSubstr("--num-shard: only 1 is supported: a model runs on one device"));
  EXPECT_THAT(complaint({"--trust-remote-code"}), HasSubstr("--trust-remote-code: not supported: no code"));
  EXPECT_THAT(complaint({"--quantize", "awq"}), HasSubstr("--quantize: only gptq is supported"));
  EXPECT_THAT(complaint({"--lora-adapters", "a"}), HasSubstr("--lora-adapters: not supported"));
  EXPECT_THAT(complaint({"--enable-prefill-logprobs"}), HasSubstr("--enable-prefill-logprobs: not supported"));
  EXPECT_THAT(complaint({"--max-input-tokens", "5", "--max-input-length", "5"}), HasSubstr("are the same thing"));
  EXPECT_THAT(complaint({"--disable-grammar-support", "false"}), HasSubstr("--disable-grammar-support: grammars"));
}

TEST(Launcher, VariablesCountLessThanFlags) {
  const Variable port("PORT", "4321");
  const Variable best("MAX_BEST_OF", "6");
  const Variable origins("CORS_ALLOW_ORIGIN", "http://a,http://b");
  const Variable model("MODEL_ID", "org/thing");
  const Variable token("HF_TOKEN", "hf_secret");
  const Variable ours("SIM_GAP", "nonsense");  // only TGI's names are read
  const auto config = parse({"--max-best-of", "3"}).serve;
  ASSERT_TRUE(config);
  EXPECT_EQ(config->http.port, 4321);
  EXPECT_EQ(config->limits.max_best_of, 3U);
  EXPECT_EQ(config->http.cors_allowed_origins.size(), 2U);
  EXPECT_EQ(config->models.at(0).name, "org/thing");
  ASSERT_EQ(config->notes.size(), 1U);
  EXPECT_EQ(config->notes[0].find("hf_secret"), std::string::npos);
  const Variable bad("MAX_STOP_SEQUENCES", "many");
  EXPECT_THAT(complaint({}), HasSubstr("MAX_STOP_SEQUENCES: 'many' is not a whole number"));
}

TEST(Launcher, AHostnameThatIsNoAddress) {
  const Variable name("HOSTNAME", "f00ba4");
  const auto ours = parse({}).serve;
  EXPECT_EQ(ours->http.host, "127.0.0.1");
  EXPECT_THAT(ours->notes.at(0), HasSubstr("f00ba4"));
  EXPECT_EQ(parse({"--strict-tgi"}).serve->http.host, "0.0.0.0");
  EXPECT_EQ(parse({"--strict-tgi", "--host", "127.0.0.1"}).serve->http.host, "127.0.0.1");
}

TEST(Config, TheKeyComesFromAFlagAFileOrTheEnvironmentAndIsNeverShown) {
  const ConfigFile file("s3cret\n");
  EXPECT_EQ(parse({"--api-key-file", file.path()}).serve->http.api_key, "s3cret");
  EXPECT_EQ(parse({"--api-key", "abc"}).serve->http.api_key, "abc");
  {
    const Variable variable("API_KEY", "xyz");
    EXPECT_EQ(parse({}).serve->http.api_key, "xyz");
  }
  const std::string said = complaint({"--api-key", "top secret"});
  EXPECT_THAT(said, HasSubstr("--api-key: has characters other than printable ASCII"));
  EXPECT_EQ(said.find("top secret"), std::string::npos);
  EXPECT_THAT(complaint({"--api-key-file", "/nonexistent"}), HasSubstr("'/nonexistent' cannot be read"));
}

TEST(Config, ModelsHaveFoldersAndPorts) {
  const auto config = parse({"--model", "qwen2=/models/q", "--model", "llama3", "--model-port", "llama3=8081",
                             "--model-port", "qwen2=0", "--strict-tgi"})
                          .serve;
  ASSERT_TRUE(config);
  EXPECT_EQ(config->folders, (std::vector<std::string>{"/models/q", ""}));
  ASSERT_EQ(config->http.model_ports.size(), 2U);
  EXPECT_EQ(config->http.model_ports[0].model, 1U);
  EXPECT_EQ(config->http.model_ports[0].port, 8081);
  EXPECT_EQ(config->limits.dialect, Dialect::strict_tgi);
  EXPECT_THAT(complaint({"--model-port", "x=1"}), HasSubstr("there is no model x"));
  EXPECT_THAT(complaint({"--model-port", "qwen2"}), HasSubstr("--model-port: 'qwen2' is not MODEL=PORT"));
}

TEST(Config, HelpTeachesAndExitsWell) {
  ::testing::internal::CaptureStdout();
  const CommandLine command = parse({"--help"});
  const std::string help = ::testing::internal::GetCapturedStdout();
  EXPECT_FALSE(command.serve);
  EXPECT_EQ(command.code, ExitCode::ok);
  EXPECT_THAT(help, HasSubstr("--sim-stall AT+FOR"));
  EXPECT_THAT(help, HasSubstr("Exit codes: 0"));
  EXPECT_THAT(help, HasSubstr("--cuda-graphs: "));
  EXPECT_THAT(help, HasSubstr("--num-shard (but 1): "));
}

}  // namespace
}  // namespace refserver
