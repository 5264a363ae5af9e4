// The command line: what each command line means, and that every bad one ends in 64 with a message that helps.
#include "loadgen/cli.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "loadgen/credentials.hpp"

namespace loadgen {
namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;
using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::StartsWith;

struct Parsed {
  Command command;
  std::string out, err;
  const RunCommand& run() const { return std::get<RunCommand>(command); }
  bool is_done_with(ExitCode code) const {
    const Done* done = std::get_if<Done>(&command);
    return done != nullptr && done->code == code;
  }
};

Parsed parse(std::vector<const char*> words) {
  words.insert(words.begin(), "loadgen");
  testing::internal::CaptureStdout();
  testing::internal::CaptureStderr();
  Parsed parsed{parse_command_line(static_cast<int>(words.size()), words.data()), {}, {}};
  std::fflush(stdout);
  parsed.out = testing::internal::GetCapturedStdout();
  parsed.err = testing::internal::GetCapturedStderr();
  return parsed;
}

constexpr const char* smoke = PLUMBLINE_SOURCE_DIR "/scenarios/smoke.yaml";

std::vector<const char*> good_flags(std::vector<const char*> more = {}) {
  std::vector<const char*> words = {
      "run", "--target", "http://127.0.0.1:8080", "--route", "tgi-stream", "--concurrency", "4", "--duration", "10s"};
  words.insert(words.end(), more.begin(), more.end());
  return words;
}

TEST(Cli, FlagsAloneMakeARun) {
  const Parsed parsed = parse(good_flags({"--model", "qwen2",    "--max-new-tokens",
                                          "64",      "--warmup", "2s",
                                          "--seed",  "7",        "--out",
                                          "here",    "--quiet",  "--record",
                                          "summary", "--gate",   "p99(e2e) < 1s",
                                          "--gate",  "qps >= 1", "--prompt",
                                          "a",       "--prompt", "b"}));
  ASSERT_TRUE(std::holds_alternative<RunCommand>(parsed.command)) << parsed.err;
  const RunCommand& run = parsed.run();
  EXPECT_EQ(run.exports.out_dir, "here");
  EXPECT_EQ(run.exports.record, RecordLevel::summary);
  EXPECT_FALSE(run.exports.influx.has_value());
  EXPECT_EQ(run.progress, ProgressKind::quiet);
  EXPECT_EQ(run.scenario.seed, 7U);
  EXPECT_EQ(run.scenario.warmup, nanoseconds(2s));
  EXPECT_EQ(run.scenario.length.duration, nanoseconds(10s));
  EXPECT_EQ(run.scenario.gates.size(), 2U);
  ASSERT_EQ(run.scenario.mix.size(), 1U);
  EXPECT_EQ(run.scenario.mix[0].model, "qwen2");
  EXPECT_EQ(run.scenario.mix[0].parameters.max_new_tokens, 64U);
  EXPECT_THAT(run.scenario.mix[0].prompts, ElementsAre("a", "b"));
  EXPECT_THAT(parsed.out + parsed.err, IsEmpty());
}

TEST(Cli, OpenLoopFlags) {
  const Parsed parsed = parse({"run", "--target", "http://h", "--route", "openai-chat", "--rate", "2.5", "--arrivals",
                               "constant", "--requests", "100"});
  ASSERT_TRUE(std::holds_alternative<RunCommand>(parsed.command)) << parsed.err;
  EXPECT_DOUBLE_EQ(std::get<OpenLoop>(parsed.run().scenario.load).rate, 2.5);
  EXPECT_EQ(std::get<OpenLoop>(parsed.run().scenario.load).arrivals, Arrivals::constant);
  EXPECT_EQ(parsed.run().scenario.length.requests, 100U);
}

TEST(Cli, AFileWithFlagsOverIt) {
  for (const auto& words : {std::vector<const char*>{"run", smoke, "--target", "http://other:1", "--concurrency", "9"},
                            std::vector<const char*>{"run", "--target", "http://other:1", "--gate", "qps > 0",
                                                     "--concurrency", "9", smoke}}) {
    const Parsed parsed = parse(words);
    ASSERT_TRUE(std::holds_alternative<RunCommand>(parsed.command)) << parsed.err;
    EXPECT_EQ(parsed.run().scenario.name, "smoke");
    EXPECT_EQ(parsed.run().scenario.mix.back().target.url, "http://other:1");
    EXPECT_EQ(std::get<ClosedLoop>(parsed.run().scenario.load).concurrency, 9U);
  }
}

TEST(Cli, TheDefaultFolderIsNamedByTimeAndScenario) {
  const Parsed parsed = parse({"run", smoke});
  ASSERT_TRUE(std::holds_alternative<RunCommand>(parsed.command)) << parsed.err;
  EXPECT_THAT(parsed.run().exports.out_dir.string(), testing::MatchesRegex("runs/20[0-9]+T[0-9]+Z-smoke"));
}

TEST(Cli, CheckAndProbe) {
  const Parsed check = parse({"check", smoke});
  ASSERT_TRUE(std::holds_alternative<CheckCommand>(check.command)) << check.err;
  EXPECT_EQ(std::get<CheckCommand>(check.command).scenario.name, "smoke");

  const Parsed probe = parse({"probe", "--target", "http://h:5"});
  ASSERT_TRUE(std::holds_alternative<ProbeCommand>(probe.command)) << probe.err;
  const auto& command = std::get<ProbeCommand>(probe.command);
  EXPECT_EQ(command.scenario.mix.front().target.port, 5);
  EXPECT_THAT(command.models, ElementsAre("qwen2", "llama3"));
  EXPECT_THAT(command.scenarios, ElementsAre("qa", "summarize", "rewrite"));
  EXPECT_EQ(command.scenario.timeouts.total, nanoseconds(30s));

  const Parsed chosen =
      parse({"probe", "--target", "http://h:5", "--model", "m", "--scenario", "qa", "--timeout", "1s"});
  ASSERT_TRUE(std::holds_alternative<ProbeCommand>(chosen.command)) << chosen.err;
  EXPECT_THAT(std::get<ProbeCommand>(chosen.command).models, ElementsAre("m"));
  EXPECT_EQ(std::get<ProbeCommand>(chosen.command).scenario.timeouts.connect, nanoseconds(1s));
}

TEST(Cli, HelpAndVersionTeach) {
  for (const auto& words :
       {std::vector<const char*>{"--help"}, {"run", "--help"}, {"check", "-h"}, {"probe", "--help"}}) {
    const Parsed parsed = parse(words);
    EXPECT_TRUE(parsed.is_done_with(ExitCode::pass));
    EXPECT_THAT(parsed.out, AllOf(HasSubstr("loadgen"), HasSubstr("Example"), HasSubstr("Exit codes")));
    EXPECT_THAT(parsed.err, IsEmpty());
  }
  const std::string help = parse({"--help"}).out;
  for (const char* code :
       {"\n   0  ", "\n   1  ", "\n   2  ", "\n   3  ", "\n   4  ", "\n   5  ", "\n  64  ", "\n  69  "}) {
    EXPECT_THAT(help, HasSubstr(code));
  }
  const Parsed version = parse({"--version"});
  EXPECT_TRUE(version.is_done_with(ExitCode::pass));
  EXPECT_THAT(version.out, StartsWith("loadgen "));
}

TEST(Cli, BadUsageSaysWhatIsWrong) {
  struct Case {
    std::vector<const char*> words;
    const char* says;
  };
  const Case cases[] = {
      {{}, "SUBCOMMAND"},
      {{"nonsense"}, "nonsense"},
      {{"rum"}, "did you mean 'run'?"},
      {{"run", "--taget", "http://a:1"}, "did you mean '--target'?"},
      {{"run", smoke, "--rates=5"}, "did you mean '--rate'?"},
      {{"merge", "--ouf", "x"}, "did you mean '--out'?"},
      {{"run"}, "--target: is missing"},
      {{"run", "--nonsense"}, "--nonsense"},
      {{"run", "--concurrency"}, "--concurrency"},
      {{"run", "no-such-file.yaml"}, "no-such-file.yaml: cannot be read"},
      {{"run", smoke, "another.yaml"}, "another.yaml"},
      {{"run", smoke, "--route", "tgi"}, "--route: does not go with a scenario file"},
      {{"run", smoke, "--model", "m"}, "--model: does not go with a scenario file"},
      {{"run", smoke, "--prompt", "x"}, "--prompt: does not go with a scenario file"},
      {{"run", smoke, "--stream"}, "--stream: does not go with a scenario file"},
      {{"run", smoke, "--rate", "0"}, "--rate: must be a number"},
      {{"run", smoke, "--rate", "-5"}, "--rate"},
      {{"run", smoke, "--seed", "1", "--seed", "2"}, "--seed"},
      {{"run", smoke, "--duration", ""}, "--duration: must be a duration"},
      {{"run", smoke, "--gate", "p99(e2e) < 5"}, "--gate: column 13"},
      {good_flags({"--rate", "5"}), "--rate: excludes --concurrency"},
      {good_flags({"--requests", "5"}), "--requests: excludes --duration"},
      {good_flags({"--arrivals", "poisson"}), "--arrivals: needs a rate"},
      {good_flags({"--api-key-file", "no-such-key"}), "--api-key-file: 'authorization' refers to the file"},
      {good_flags({"--header", "x-key: ${env:NO_SUCH_VARIABLE}"}), "--header: 'x-key' refers to the environment"},
      {good_flags({"--idle-timeout", "5"}), "--idle-timeout: must be a duration"},
      {good_flags({"--no-stream"}), "--no-stream: contradicts the route"},
      {good_flags({"--record", "some"}), "--record: must be all or summary"},
      {good_flags({"--out", ""}), "--out: must not be empty"},
      {good_flags({"--influx", "localhost:8086/db"}), "--influx: "},
      {good_flags({"--influx", "http://u:p@localhost:8086/db"}), "--influx: "},
      {good_flags({"--influx-credentials", "x"}), "--influx-credentials: needs --influx"},
      {good_flags({"--influx-rp", "x"}), "--influx-rp: needs --influx"},
      {good_flags({"--influx", "http://h:1/d", "--influx-api", "2"}), "--influx-api: must be v1, v2 or v3, is '2'"},
      {good_flags({"--influx", "http://h:1/d", "--influx-api", "v2"}), "--influx-org: is missing"},
      {good_flags({"--influx", "http://h:1/d", "--influx-api", "v3", "--influx-org", "o"}), "--influx-org: goes with"},
      {good_flags({"--influx", "http://h:1/d", "--influx-api", "v3", "--influx-rp", "o"}), "--influx-rp: goes with"},
      {good_flags({"--influx", "http://h:1/d", "--influx-rp", "a\nb"}), "--influx-rp: must be 1 to 255 printable"},
      {good_flags({"--influx", "http://h:1/d", "--influx-gzip", "yes"}), "--influx-gzip: must be on, off or auto"},
      {good_flags({"--grafana-url", "127.0.0.1:3000"}), "--grafana-url: there is no http"},
      {good_flags({"--influx", "http://h:1/d", "--influx-credentials", "/nowhere"}), "/nowhere cannot be read"},
      {{"check"}, "name a scenario file"},
      {{"check", "/dev/null"}, "is not a file"},
      {{"probe"}, "--target: is missing"},
      {{"probe", "--target", "h"}, "must start with http://"},
      {{"probe", "--target", "http://h", "--scenario", "chat"}, "--scenario: must be qa"},
      {{"probe", "--target", "http://h", "--model", ""}, "--model: must be"},
      {{"probe", "--target", "http://h", "--timeout", "0"}, "--timeout: must be"},
  };
  for (const Case& c : cases) {
    const Parsed parsed = parse(c.words);
    EXPECT_TRUE(parsed.is_done_with(ExitCode::bad_usage)) << c.says;
    EXPECT_THAT(parsed.err, HasSubstr(c.says));
    EXPECT_THAT(parsed.out, IsEmpty()) << c.says;
  }
}

TEST(Cli, CredentialsComeFromTheEnvironment) {
  ::setenv("LOADGEN_INFLUX_USER", "writer", 1);
  ::setenv("LOADGEN_INFLUX_PASSWORD", "s3cret pass", 1);
  const Parsed parsed = parse(good_flags({"--influx", "http://127.0.0.1:8086/load"}));
  ::unsetenv("LOADGEN_INFLUX_USER");
  ::unsetenv("LOADGEN_INFLUX_PASSWORD");
  ASSERT_TRUE(std::holds_alternative<RunCommand>(parsed.command)) << parsed.err;
  ASSERT_TRUE(parsed.run().exports.influx.has_value());
  const exporters::InfluxTarget& influx = *parsed.run().exports.influx;
  EXPECT_EQ(influx.url.text(), "http://127.0.0.1:8086/load");
  EXPECT_EQ(influx.credentials.user, "writer");
  EXPECT_EQ(influx.credentials.password, "s3cret pass");
  EXPECT_EQ(influx.credentials.token, "");
  EXPECT_EQ(influx.api, exporters::InfluxApi::v1);
  EXPECT_EQ(influx.compression, exporters::Compression::none);
}

TEST(Cli, AnOrganisationMeansInfluxTwo) {
  const Parsed parsed = parse(good_flags({"--influx", "http://influx:8086/load", "--influx-org", "our org"}));
  ASSERT_TRUE(std::holds_alternative<RunCommand>(parsed.command)) << parsed.err;
  const exporters::InfluxTarget& influx = *parsed.run().exports.influx;
  EXPECT_EQ(influx.api, exporters::InfluxApi::v2);
  EXPECT_EQ(influx.organisation, "our org");
  EXPECT_EQ(influx.compression, exporters::Compression::gzip) << "over a network";
  const Parsed third = parse(good_flags({"--influx", "http://h:1/d", "--influx-api", "v3", "--influx-gzip", "off"}));
  ASSERT_TRUE(std::holds_alternative<RunCommand>(third.command)) << third.err;
  EXPECT_EQ(third.run().exports.influx->api, exporters::InfluxApi::v3);
  EXPECT_EQ(third.run().exports.influx->compression, exporters::Compression::none);
  const Parsed policy = parse(good_flags({"--influx", "http://h:1/d", "--influx-rp", "two weeks"}));
  ASSERT_TRUE(std::holds_alternative<RunCommand>(policy.command)) << policy.err;
  EXPECT_EQ(policy.run().exports.influx->retention_policy, "two weeks");
}

TEST(Cli, ExportSaysWhatGoesWhere) {
  const Parsed parsed = parse({"export", "runs/x", "--from", "spill", "--influx", "http://h:1/d", "--csv", "t.csv"});
  ASSERT_TRUE(std::holds_alternative<ExportCommand>(parsed.command)) << parsed.err;
  const auto& command = std::get<ExportCommand>(parsed.command);
  EXPECT_EQ(command.input, "runs/x");
  EXPECT_EQ(command.from, ExportFrom::spill);
  EXPECT_EQ(command.csv, "t.csv");
  ASSERT_TRUE(command.influx.has_value());
  EXPECT_EQ(command.influx->url.text(), "http://h:1/d");
  const std::vector<std::pair<std::vector<const char*>, std::string>> sad = {
      {{"export"}, "name a run folder"},
      {{"export", "x"}, "say where to: --influx"},
      {{"export", "x", "--from", "spill", "--csv", "t"}, "--from: says what goes to --influx"},
      {{"export", "x", "--from", "all", "--influx", "http://h:1/d"}, "--from: must be spill, points or requests"},
      {{"export", "x", "--influx", "h"}, "--influx: "},
      {{"export", "x", "--csv", ""}, "--csv: must not be empty"},
  };
  for (const auto& [arguments, says] : sad) {
    const Parsed refused = parse(arguments);
    ASSERT_TRUE(std::holds_alternative<Done>(refused.command)) << says;
    EXPECT_EQ(std::get<Done>(refused.command).code, ExitCode::bad_usage);
    EXPECT_THAT(refused.err, HasSubstr(says));
  }
}

TEST(Credentials, ReadLinesAndJson) {
  const auto lines = parse_credentials("# who\nuser = writer\r\n\npassword=a=b#c \n");
  ASSERT_TRUE(lines.has_value()) << lines.error();
  EXPECT_EQ(lines->user, "writer");
  EXPECT_EQ(lines->password, "a=b#c");
  const auto json = parse_credentials(" {\"token\": \"t-1\"}\n");
  ASSERT_TRUE(json.has_value()) << json.error();
  EXPECT_EQ(json->token, "t-1");
}

TEST(Credentials, RefuseWithoutRepeatingSecrets) {
  for (const char* text : {"hunter2", "pass=hunter2", "user=a\nuser=hunter2", "password=", "password=hunter2\x01",
                           "{\"password\": 7}", "{\"hunter2\": \"x\"}", "{\"password\": \"hunter2\\r\\n\"}",
                           "{\"password\": \"hunter2\"", "password=\xffhunter2"}) {
    const auto credentials = parse_credentials(text);
    ASSERT_FALSE(credentials.has_value()) << text;
    EXPECT_EQ(credentials.error().find("hunter2"), std::string::npos) << credentials.error();
  }
}

TEST(Credentials, WarnOfAFileThatOthersCanOpen) {
  const fs::path file = fs::path(testing::TempDir()) / ("credentials-" + std::to_string(::getpid()));
  std::ofstream(file) << "token=t\n";
  const Environment none = [](const char*) { return nullptr; };
  ::chmod(file.c_str(), 0644);
  const auto open = read_credentials(file, none);
  ASSERT_TRUE(open.has_value()) << open.error();
  EXPECT_THAT(open->warning, HasSubstr("chmod 600"));
  ::chmod(file.c_str(), 0600);
  EXPECT_THAT(read_credentials(file, none)->warning, IsEmpty());
  std::ofstream(file, std::ios::trunc) << "# nothing\n";
  EXPECT_THAT(read_credentials(file, none).error(), HasSubstr("holds no credentials"));
  fs::remove(file);
}

TEST(Credentials, TheEnvironmentIsCheckedToo) {
  const auto bad = read_credentials({}, [](const char*) { return "a\r\nb"; });
  ASSERT_FALSE(bad.has_value());
  EXPECT_THAT(bad.error(), HasSubstr("LOADGEN_INFLUX_USER"));
}

}  // namespace
}  // namespace loadgen
