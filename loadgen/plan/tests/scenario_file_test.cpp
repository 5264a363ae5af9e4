// Whole scenarios: defaults, inheritance, flags over files, prompt files, the shipped ones.
#include "loadgen/plan/scenario_file.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <map>

#include "loadgen/plan/made_prompts.hpp"
#include "loadgen/plan/render_plan.hpp"

namespace loadgen {
namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Pair;

const std::string small = R"(schema_version: 1
name: small
target: http://127.0.0.1:8080
route: tgi-stream
load: {mode: closed, concurrency: 4}
duration: 15s
mix:
  - name: a
)";

Scenario parsed(const std::string& text, const ScenarioFlags& flags = {}) {
  auto scenario = parse_scenario(text, "x.yaml", {}, flags);
  if (!scenario) ADD_FAILURE() << errors_text(scenario.error());
  return scenario ? *scenario : Scenario{};
}
std::string error_of(const std::string& text, const ScenarioFlags& flags = {}) {
  const auto scenario = parse_scenario(text, "x.yaml", {}, flags);
  return scenario ? "no error" : errors_text(scenario.error());
}

TEST(ScenarioFile, FillsInDefaults) {
  const Scenario s = parsed(small);
  EXPECT_EQ(s.name, "small");
  EXPECT_EQ(s.source, "x.yaml");
  EXPECT_EQ(s.seed, 1U);
  EXPECT_EQ(std::get<ClosedLoop>(s.load).concurrency, 4U);
  EXPECT_EQ(s.length.duration, nanoseconds(15s));
  EXPECT_FALSE(s.length.requests.has_value());
  EXPECT_FALSE(s.warmup.has_value());
  EXPECT_EQ(s.drain_max, nanoseconds(60s));
  EXPECT_EQ(s.timeouts.total, nanoseconds(300s));
  EXPECT_TRUE(s.nonce);
  ASSERT_EQ(s.mix.size(), 1U);
  EXPECT_EQ(s.mix[0].weight, 1.0);
  EXPECT_EQ(s.mix[0].parameters.max_new_tokens, 128U);
  EXPECT_EQ(s.mix[0].delivery, Delivery::stream);
  EXPECT_FALSE(s.mix[0].prompts.empty());
}

TEST(ScenarioFile, EntriesInheritAndOverride) {
  const Scenario s = parsed(R"(
schema_version: 1
name: mixed
target: http://a:1
route: openai-chat
model: base
load: {mode: open, rate: 12.5, arrivals: constant}
requests: 500
warmup: 0
drain_max: 1m30s
timeouts: {connect: 1s, total: 20s}
threads: 3
seed: 42
nonce: false
headers: {x-team: perf, X-Other: "1"}
parameters: {max_new_tokens: 64, temperature: 0.5, stop: [END]}
mix:
  - name: first
    prompts: ["hello", "世界"]
  - name: second
    weight: 3
    target: http://[::1]:9/base/
    route: gateway
    stream: true
    model: llama3
    scenario: summarize
    headers: {x-other: "2"}
    parameters: {temperature: 0.9, top_k: 40, seed: 7}
)");
  EXPECT_DOUBLE_EQ(std::get<OpenLoop>(s.load).rate, 12.5);
  EXPECT_EQ(std::get<OpenLoop>(s.load).arrivals, Arrivals::constant);
  EXPECT_EQ(s.length.requests, 500U);
  EXPECT_EQ(s.warmup, nanoseconds(0));
  EXPECT_EQ(s.drain_max, nanoseconds(90s));
  EXPECT_EQ(s.timeouts.first_token, nanoseconds(20s)) << "a shorter total shortens the default within it";
  EXPECT_FALSE(s.nonce);
  EXPECT_EQ(s.threads, 3U);
  const MixEntry &a = s.mix[0], &b = s.mix[1];
  EXPECT_EQ(a.model, "base");
  EXPECT_EQ(a.route, Route::openai_chat);
  EXPECT_THAT(a.prompts, ElementsAre("hello", "世界"));
  EXPECT_THAT(a.headers, ElementsAre(Pair("x-team", "perf"), Pair("X-Other", "1")));
  EXPECT_EQ(b.target.host, "::1");
  EXPECT_EQ(b.target.port, 9);
  EXPECT_EQ(b.target.base_path, "/base");
  EXPECT_EQ(b.delivery, Delivery::stream);
  EXPECT_EQ(b.scenario, "summarize");
  EXPECT_THAT(b.headers, ElementsAre(Pair("x-team", "perf"), Pair("x-other", "2")));
  EXPECT_EQ(b.parameters.max_new_tokens, 64U);
  EXPECT_EQ(b.parameters.temperature, 0.9);
  EXPECT_EQ(b.parameters.top_k, 40);
  EXPECT_THAT(b.parameters.stop, ElementsAre("END"));
}

TEST(ScenarioFile, EachRouteHasItsDelivery) {
  const auto delivery = [](const std::string& entry) {
    return parsed(small.substr(0, small.find("mix:")) + "mix: [{name: a, model: m, " + entry + "}]\n").mix[0].delivery;
  };
  EXPECT_EQ(delivery("route: tgi-stream"), Delivery::stream);
  EXPECT_EQ(delivery("route: tgi"), Delivery::whole);
  EXPECT_EQ(delivery("route: openai-chat"), Delivery::stream);
  EXPECT_EQ(delivery("route: openai-completions"), Delivery::stream);
  EXPECT_EQ(delivery("route: gateway"), Delivery::whole);
  EXPECT_EQ(delivery("route: openai-chat, stream: false"), Delivery::whole);
  EXPECT_EQ(delivery("route: gateway, stream: true"), Delivery::stream);
}

TEST(ScenarioFile, JsonAndYamlGiveTheSame) {
  const Scenario a = parsed(small);
  const Scenario b =
      parsed(R"({"schema_version": 1, "name": "small", "target": "http://127.0.0.1:8080", "route": "tgi-stream",
    "load": {"mode": "closed", "concurrency": 4}, "duration": "15s", "mix": [{"name": "a"}]})");
  EXPECT_EQ(render_plan(a), render_plan(b));
}

TEST(ScenarioFile, ReportsAllErrorsTogetherUpToTen) {
  const std::string text =
      error_of("name: a b\nroute: x\nload: {mode: closed}\nduration: 3\nsead: 1\nmix: [{name: a, weight: -1}]\n");
  for (const char* expected :
       {"x.yaml:1: name: ", "x.yaml:2: route: ", "x.yaml:3: load.concurrency: ", "x.yaml:4: duration: ",
        "x.yaml:5: sead: is not a known key; did you mean 'seed'?", "x.yaml:6: mix[0].weight: ", "schema_version"}) {
    EXPECT_THAT(text, HasSubstr(expected));
  }
  std::string many = small;
  for (int i = 0; i < 30; ++i) many += "zz" + std::to_string(i) + ": 1\n";
  EXPECT_THAT(error_of(many), HasSubstr("... and 20 more errors"));
}

TEST(ScenarioFlags, ReplaceWhatTheFileSays) {
  ScenarioFlags flags;
  flags.target = "http://other:9";
  flags.rate = "20";
  flags.requests = "7";
  flags.seed = "99";
  flags.max_new_tokens = "5";
  flags.warmup = "0s";
  flags.name = "renamed";
  flags.timeout = "9s";
  flags.gates = {"qps >= 1"};
  const Scenario s = parsed(
      small + "    target: http://mine:1\n    parameters: {max_new_tokens: 50, top_p: 0.5}\ngates: [errors <= 0]\n",
      flags);
  EXPECT_EQ(s.mix[0].target.url, "http://other:9") << "also where the entry has a target of its own";
  EXPECT_DOUBLE_EQ(std::get<OpenLoop>(s.load).rate, 20);
  EXPECT_EQ(s.length.requests, 7U);
  EXPECT_FALSE(s.length.duration.has_value());
  EXPECT_EQ(s.seed, 99U);
  EXPECT_EQ(s.mix[0].parameters.max_new_tokens, 5U);
  EXPECT_EQ(s.mix[0].parameters.top_p, 0.5);
  EXPECT_EQ(s.warmup, nanoseconds(0));
  EXPECT_EQ(s.name, "renamed");
  EXPECT_EQ(s.timeouts.total, nanoseconds(9s));
  ASSERT_EQ(s.gates.size(), 2U);
  EXPECT_EQ(s.gates[1].text, "qps >= 1");
}

TEST(ScenarioFlags, ARateKeepsTheArrivalsOfAnOpenLoop) {
  std::string open = small;
  open.replace(open.find("{mode: closed, concurrency: 4}"), 30, "{mode: open, rate: 5, arrivals: constant}");
  ScenarioFlags flags;
  flags.rate = "20";
  EXPECT_EQ(std::get<OpenLoop>(parsed(open, flags).load).arrivals, Arrivals::constant);
  flags.arrivals = "poisson";
  EXPECT_EQ(std::get<OpenLoop>(parsed(open, flags).load).arrivals, Arrivals::poisson);
  flags.rate.reset();
  EXPECT_THAT(error_of(small, flags), HasSubstr("--arrivals: needs a rate"));
  ScenarioFlags closed;
  closed.concurrency = "8";
  EXPECT_EQ(std::get<ClosedLoop>(parsed(open, closed).load).concurrency, 8U);
}

TEST(ScenarioFlags, AreNamedInErrors) {
  struct Case {
    std::optional<std::string> ScenarioFlags::*flag;
    const char* value;
    const char* expected;
  };
  const Case cases[] = {
      {&ScenarioFlags::concurrency, "0", "--concurrency: must be a whole number from 1 to 100000, is 0"},
      {&ScenarioFlags::concurrency, "many",
       "--concurrency: must be a whole number from 1 to 100000, is the text 'many'"},
      {&ScenarioFlags::concurrency, "", "--concurrency: must be a whole number"},
      {&ScenarioFlags::rate, "-1", "--rate: must be a number from 0.001"},
      {&ScenarioFlags::rate, "nan", "--rate: must be a number"},
      {&ScenarioFlags::duration, "15", "--duration: must be a duration such as"},
      {&ScenarioFlags::duration, "", "--duration: must be"},
      {&ScenarioFlags::requests, "1.5", "--requests: must be a whole number"},
      {&ScenarioFlags::target, "ftp://x", "--target: 'ftp://x' must start with http://, https://, unix: or unix+tls:"},
      {&ScenarioFlags::target, "http://u:p@x", "--target: must not hold credentials"},
      {&ScenarioFlags::seed, "1e99", "--seed: must be a whole number"},
      {&ScenarioFlags::name, "a/b", "--name: must be letters"},
      {&ScenarioFlags::name, "\xff", "--name: is not UTF-8"},
      {&ScenarioFlags::max_new_tokens, "0", "--max-new-tokens: must be a whole number from 1"},
      {&ScenarioFlags::max_new_tokens, "", "--max-new-tokens: "},
      {&ScenarioFlags::timeout, "0s", "--timeout: must be a duration from 1ms"},
      {&ScenarioFlags::route, "tgi", "--route: does not go with a scenario file"},
      {&ScenarioFlags::model, "m", "--model: does not go with a scenario file"},
  };
  for (const Case& c : cases) {
    ScenarioFlags flags;
    flags.*c.flag = c.value;
    EXPECT_THAT(error_of(small, flags), HasSubstr(c.expected)) << c.value;
  }
  ScenarioFlags both;
  both.concurrency = both.rate = "1";
  both.duration = both.requests = "1";
  EXPECT_THAT(error_of(small, both), HasSubstr("--rate: excludes --concurrency"));
  EXPECT_THAT(error_of(small, both), HasSubstr("--requests: excludes --duration"));
}

TEST(ScenarioFlags, SurviveAFileOfTheWrongShape) {
  ScenarioFlags flags;
  flags.target = "http://h";
  flags.rate = "1";
  flags.arrivals = "poisson";
  flags.timeout = "1s";
  flags.max_new_tokens = "3";
  flags.gates = {"qps > 1"};
  for (const char* text : {"load: 5\n", "load: [x]\nmix: 7\n", "mix: [1, [2], {parameters: 3}]\nparameters: x\n",
                           "timeouts: 3\ngates: x\n", "timeouts:\nload:\nmix:\ngates:\nparameters:\ntarget:\n"}) {
    EXPECT_THAT(error_of(text, flags), HasSubstr("x.yaml")) << text;
  }
}

TEST(ScenarioFlags, AloneDescribeAScenario) {
  ScenarioFlags flags;
  flags.target = "http://127.0.0.1:8080";
  flags.route = "gateway";
  flags.model = "7";
  flags.scenario = "qa";
  flags.stream = true;
  flags.prompts = {"one", "42"};
  flags.concurrency = "3";
  flags.duration = "1m";
  flags.gates = {"p50(ttft) < 1s"};
  const auto s = scenario_from_flags(flags);
  ASSERT_TRUE(s.has_value()) << errors_text(s.error());
  EXPECT_EQ(s->source, "command line");
  EXPECT_EQ(s->mix[0].name, "gateway");
  EXPECT_EQ(s->mix[0].model, "7");
  EXPECT_EQ(s->mix[0].delivery, Delivery::stream);
  EXPECT_THAT(s->mix[0].prompts, ElementsAre("one", "42"));
  EXPECT_EQ(s->length.duration, nanoseconds(1min));
}

TEST(ScenarioFlags, MakeUpPromptsOfALength) {
  ScenarioFlags flags;
  flags.target = "http://127.0.0.1:8080";
  flags.route = "tgi";
  flags.concurrency = "1";
  flags.requests = "5";
  flags.prompt_tokens = "512";
  const auto fixed = scenario_from_flags(flags);
  ASSERT_TRUE(fixed.has_value()) << errors_text(fixed.error());
  ASSERT_TRUE(fixed->mix[0].made);
  EXPECT_TRUE(fixed->mix[0].prompts.empty());
  EXPECT_EQ(draw_text(fixed->mix[0].made->tokens), "512");
  flags.prompt_tokens = "lognormal(512, 1.5, 4000)";
  const auto drawn = scenario_from_flags(flags);
  ASSERT_TRUE(drawn.has_value()) << errors_text(drawn.error());
  EXPECT_EQ(draw_text(drawn->mix[0].made->tokens), "lognormal(512, 1.5, 4000)");
  flags.tokenizer = "/nowhere";
  const auto lost = scenario_from_flags(flags);
  ASSERT_FALSE(lost.has_value());
  EXPECT_EQ(lost.error().size(), 1U) << errors_text(lost.error());
  EXPECT_THAT(errors_text(lost.error()), HasSubstr("'/nowhere' must be a tokenizer.json or a folder with one"));
}

TEST(ScenarioFlags, AloneNeedTargetRouteLoadAndLength) {
  const auto s = scenario_from_flags({});
  ASSERT_FALSE(s.has_value());
  const std::string text = errors_text(s.error());
  for (const char* flag :
       {"--target: is missing", "--route: is missing", "--concurrency: or --rate", "--duration: or --requests"}) {
    EXPECT_THAT(text, HasSubstr(flag));
  }
  EXPECT_EQ(s.error().size(), 4U) << "each missing flag once:\n" << text;
  ScenarioFlags wrong;
  wrong.target = "http://h";
  wrong.route = "grpc";
  wrong.concurrency = wrong.requests = "1";
  const auto bad = scenario_from_flags(wrong);
  ASSERT_FALSE(bad.has_value());
  EXPECT_EQ(bad.error().size(), 1U) << errors_text(bad.error());
  EXPECT_THAT(errors_text(bad.error()), HasSubstr("--route: must be one of tgi-stream"));
}

class PromptsFile : public testing::Test {
 protected:
  void SetUp() override {
    folder_ = fs::path(testing::TempDir()) / ("prompts-" + std::to_string(::getpid()));
    fs::create_directories(folder_ / "inside");
  }
  void TearDown() override { fs::remove_all(folder_); }
  void write(const fs::path& name, const std::string& text) { std::ofstream(folder_ / name, std::ios::binary) << text; }
  std::string error_of_file(const std::string& name) {
    write("inside/s.yaml", small + "    prompts_file: " + name + "\n");
    const auto scenario = read_scenario_file(folder_ / "inside" / "s.yaml");
    return scenario ? "no error" : errors_text(scenario.error());
  }
  fs::path folder_;
};

TEST_F(PromptsFile, HoldsOnePromptPerLine) {
  write("inside/p.txt",
        "\xef\xbb\xbf"
        "first\r\n\n  \n 第二 \nlast");
  write("inside/s.yaml", small + "    prompts_file: p.txt\n");
  const auto scenario = read_scenario_file(folder_ / "inside" / "s.yaml");
  ASSERT_TRUE(scenario.has_value()) << errors_text(scenario.error());
  EXPECT_THAT(scenario->mix[0].prompts, ElementsAre("first", " 第二 ", "last"));
}

TEST_F(PromptsFile, MustLieInTheFolderAndBeText) {
  write("secret.txt", "secret\n");
  write("inside/bad.txt", "ok\n\xff\n");
  write("inside/empty.txt", "\n\n");
  fs::create_symlink("../secret.txt", folder_ / "inside" / "link.txt");
  EXPECT_THAT(error_of_file("../secret.txt"), HasSubstr("lies outside"));
  EXPECT_THAT(error_of_file("link.txt"), HasSubstr("lies outside"));
  EXPECT_THAT(error_of_file("/etc/passwd"), HasSubstr("lies outside"));
  EXPECT_THAT(error_of_file("."), HasSubstr("is not a file"));
  EXPECT_THAT(error_of_file("none.txt"), HasSubstr("cannot be read"));
  EXPECT_THAT(error_of_file("bad.txt"), HasSubstr("is not UTF-8 text in line 2"));
  EXPECT_THAT(error_of_file("empty.txt"), HasSubstr("has no prompts"));
  EXPECT_THAT(error_of(small + "    prompts_file: p.txt\n"), HasSubstr("no scenario file it could lie beside"));
}

TEST(ScenarioFile, AFileThatCannotBeReadSaysWhy) {
  const auto missing = read_scenario_file("/nowhere/x.yaml");
  ASSERT_FALSE(missing.has_value());
  EXPECT_THAT(errors_text(missing.error()), HasSubstr("/nowhere/x.yaml: cannot be read: No such file"));
  EXPECT_THAT(errors_text(read_scenario_file("/tmp").error()), HasSubstr("is not a file"));
  EXPECT_THAT(errors_text(read_scenario_file("/dev/zero").error()), HasSubstr("is not a file"));
}

TEST(ShippedScenarios, AllLoad) {
  std::size_t count = 0;
  for (const auto& file : fs::directory_iterator(PLUMBLINE_SOURCE_DIR "/scenarios")) {
    if (file.path().extension() != ".yaml") continue;
    const auto scenario = read_scenario_file(file.path());
    ASSERT_TRUE(scenario.has_value()) << errors_text(scenario.error());
    EXPECT_EQ(scenario->name, file.path().stem());
    EXPECT_TRUE(scenario->warmup.has_value()) << "shipped scenarios state their warm-up";
    EXPECT_FALSE(scenario->gates.empty());
    ++count;
  }
  EXPECT_GE(count, 2U);
}

TEST(ShippedScenarios, TheMixIsTheMission) {
  const auto s = read_scenario_file(PLUMBLINE_SOURCE_DIR "/scenarios/dual-model-mix.yaml");
  ASSERT_TRUE(s.has_value());
  ASSERT_EQ(s->mix.size(), 12U);
  EXPECT_EQ(std::get<ClosedLoop>(s->load).concurrency, 120U);
  EXPECT_EQ(s->length.duration, nanoseconds(15s));
  std::map<std::string, int> kinds;
  for (const MixEntry& entry : s->mix) {
    ++kinds[entry.model + " " + entry.scenario];
    EXPECT_EQ(entry.parameters.max_new_tokens, 128U);
    EXPECT_EQ(entry.delivery, Delivery::stream);
    EXPECT_GE(entry.prompts.size(), 2U) << entry.name;
  }
  EXPECT_EQ(kinds.size(), 6U);
  std::vector<std::string> gates;
  for (const Gate& gate : s->gates) gates.push_back(gate.text);
  EXPECT_THAT(gates, ElementsAre("p99(e2e) < 1500ms", "error_rate < 0.1%", "qps >= 8", "concurrency_mean >= 50"));
}

TEST(RenderPlan, SaysWhatWouldHappen) {
  const std::string text = render_plan(parsed(small + "gates: [p50(e2e) < 1s]\n"));
  EXPECT_THAT(text, HasSubstr("closed loop, 4 in flight"));
  EXPECT_THAT(text, HasSubstr("warm-up until steady, measured 15s, drain at most 1m"));
  EXPECT_THAT(text, HasSubstr("60 measured if each takes 1s"));
  EXPECT_THAT(text, HasSubstr("100.0%  tgi-stream"));
  ScenarioFlags flags;
  flags.rate = "10";
  const std::string open = render_plan(parsed(
      small + "  - {name: b, weight: 3}\ngates: ['p99(e2e) < 1s', 'p90(ttft, a) < 1s', p50(e2e) < 1s]\n", flags));
  EXPECT_THAT(open, HasSubstr("open loop, 10 requests/s, poisson arrivals"));
  EXPECT_THAT(open, HasSubstr("about 150 measured"));
  EXPECT_THAT(open, HasSubstr("p99(e2e) < 1s   (needs 662 requests, expects about 150"));
  EXPECT_THAT(open, HasSubstr("p90(ttft, a) < 1s   (needs 64 requests, expects about 38"));
  EXPECT_THAT(open, HasSubstr("p50(e2e) < 1s\n"));
}

}  // namespace
}  // namespace loadgen
