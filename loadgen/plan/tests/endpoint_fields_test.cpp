// Endpoint templates: the shipped ones load, and every mistake is found where it is written.
#include "loadgen/plan/endpoint_fields.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "loadgen/plan/scenario_file.hpp"

namespace loadgen {
namespace {

using ::testing::HasSubstr;

Result<Scenario, ScenarioErrors> scenario_with(const std::string& entry_lines,
                                               const std::filesystem::path& folder = {}) {
  return parse_scenario(
      "schema_version: 1\nname: t\ntarget: http://127.0.0.1:1\nload: {mode: closed, concurrency: 1}\nrequests: 1\n"
      "mix:\n  - name: a\n" +
          entry_lines,
      "t.yaml", folder);
}

std::string errors_with(const std::string& entry_lines, const std::filesystem::path& folder = {}) {
  const auto scenario = scenario_with(entry_lines, folder);
  return scenario ? "" : errors_text(scenario.error());
}

const std::string good =
    "    endpoint:\n      path: /p\n      body: {q: \"{prompt}\"}\n      answer: {text: /t, stream: ndjson}\n";

TEST(EndpointFields, EveryShippedTemplateLoads) {
  EXPECT_EQ(shipped_endpoints().size(), 7U);
  for (const auto name : shipped_endpoints()) {
    const auto scenario = scenario_with("    model: m\n    endpoint: " + std::string(name) + "\n");
    ASSERT_TRUE(scenario) << name << ": " << errors_text(scenario.error());
    const MixEntry& entry = scenario->mix.front();
    EXPECT_EQ(entry.route, Route::custom);
    ASSERT_NE(entry.endpoint, nullptr);
    EXPECT_EQ(entry.endpoint->name, name);
    EXPECT_TRUE(entry.endpoint->paths.has(Field::text));
    EXPECT_EQ(entry.delivery == Delivery::stream, entry.endpoint->framing != Framing::none);
  }
}

TEST(EndpointFields, TheFilesAreThoseInTheProgram) {
  std::size_t files = 0;
  for (const auto& file : std::filesystem::directory_iterator(PLUMBLINE_SOURCE_DIR "/scenarios/endpoints")) {
    ++files;
    const auto& names = shipped_endpoints();
    EXPECT_NE(std::find(names.begin(), names.end(), file.path().stem().string()), names.end()) << file.path();
  }
  EXPECT_EQ(files, shipped_endpoints().size());
}

TEST(EndpointFields, ReadsATemplateWrittenInPlace) {
  const auto scenario = scenario_with(good);
  ASSERT_TRUE(scenario) << errors_text(scenario.error());
  EXPECT_EQ(scenario->mix[0].endpoint->framing, Framing::ndjson);
  EXPECT_EQ(scenario->mix[0].endpoint->path, "/p");
}

TEST(EndpointFields, ReadsAFileBesideTheScenarioAndNamesItsLines) {
  const auto folder = std::filesystem::temp_directory_path() / "plumbline_endpoint_fields";
  std::filesystem::create_directories(folder);
  std::ofstream(folder / "mine.yaml") << "path: /p\nbody: {q: \"{prompt}\"}\nanswer: {text: /t}\n";
  std::ofstream(folder / "bad.yaml") << "path: /p\nbody: {q: \"{prompt}\"}\nanswer:\n  text: no-pointer\n";
  EXPECT_EQ(errors_with("    endpoint: mine.yaml\n", folder), "");
  EXPECT_THAT(errors_with("    endpoint: bad.yaml\n", folder),
              HasSubstr("'bad.yaml' line 4: answer.text is not a JSON"));
  EXPECT_THAT(errors_with("    endpoint: absent.yaml\n", folder), HasSubstr("'absent.yaml' cannot be read"));
  std::filesystem::remove_all(folder);
}

TEST(EndpointFields, FindsEveryMistake) {
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"    endpoint: olama-generate\n", "did you mean 'ollama-generate'"},
      {"    endpoint: 7\n", "endpoint: must be text"},
      {"    route: tgi\n" + good, "excludes 'route'"},
      {"    endpoint: {path: p, body: {q: \"{prompt}\"}, answer: {text: /t}}\n", "must begin with '/'"},
      {"    endpoint: {path: /p, body: {q: x}, answer: {text: /t}}\n", "must hold {prompt} once, in quotes; it does 0"},
      {"    endpoint: {path: /p, body: {q: {prompt: x}}, answer: {text: /t}}\n", "must hold {prompt} once"},
      {"    endpoint: {path: /p, body: {q: \"{prompt} {prompt}\"}, answer: {text: /t}}\n", "it does 2"},
      {"    endpoint: {path: /p, body: {q: \"{prompt}\", n: \"{max_token}\"}, answer: {text: /t}}\n",
       "unknown placeholder {max_token}"},
      {"    endpoint: {path: /p, body: [1], answer: {text: /t}}\n", "must be a mapping"},
      {"    endpoint: {path: /p, body: {q: \"{prompt}\"}}\n", "answer: is missing"},
      {"    endpoint: {path: /p, body: {q: \"{prompt}\"}, answer: {stream: sse}}\n", "answer.text: is missing"},
      {"    endpoint: {path: /p, body: {q: \"{prompt}\"}, answer: {text: /t, error: /t}}\n", "another field as well"},
      {"    endpoint: {path: /p, body: {q: \"{prompt}\"}, answer: {text: /t, end: {data: x}}}\n",
       "belongs to a stream"},
      {"    endpoint: {path: /p, body: {q: \"{prompt}\"}, answer: {text: /t, stream: sse, end: {}}}\n", "needs either"},
      {"    endpoint: {path: /p, body: {q: \"{prompt}\"}, answer: {text: /t, stream: sse, end: {data: x, is: 1}}}\n",
       "belongs to 'at'"},
      {"    endpoint: {path: /p, body: {q: \"{prompt}\"}, answer: {text: /t, stream: sse, end: {at: /e, is: [1]}}}\n",
       "must be a text, a number"},
      {"    endpoint: {path: /p, body: {q: \"{prompt}\"}, answer: {text: /t}, more: 1}\n", "more"},
      {"    stream: false\n" + good, "always streams"},
      {"    parameters: {seed: 1}\n" + good, "has no {seed} to send it"},
      {"    endpoint: ollama-generate\n", "model: is missing"},
      {"    stream: true\n    model: m\n    endpoint: triton-generate\n", "not streamed"},
  };
  for (const auto& [lines, expected] : cases) EXPECT_THAT(errors_with(lines), HasSubstr(expected)) << lines;
}

TEST(EntryFields, ParametersGoWhereServersHaveThem) {
  EXPECT_EQ(
      errors_with("    route: openai-chat\n    parameters: {ignore_eos: true, min_tokens: 5, max_new_tokens: 9}\n"),
      "");
  EXPECT_THAT(errors_with("    route: tgi\n    parameters: {ignore_eos: true}\n"),
              HasSubstr("ignore_eos cannot be sent"));
  EXPECT_THAT(errors_with("    route: tgi-stream\n    parameters: {min_tokens: 2}\n"),
              HasSubstr("min_tokens cannot be"));
  EXPECT_THAT(errors_with("    route: openai-chat\n    parameters: {min_tokens: 9, max_new_tokens: 5}\n"),
              HasSubstr("more than max_new_tokens"));
}

TEST(EntryFields, ReadsWhatIsExpectedOfAnswers) {
  const auto scenario = scenario_with(
      "    route: tgi\n    expect: {not_empty: true, matches: '^a', finish_reason: [length, stop_sequence], model: "
      "m}\n");
  ASSERT_TRUE(scenario) << errors_text(scenario.error());
  const Expectation& expect = scenario->mix[0].expect;
  EXPECT_TRUE(expect.not_empty && expect.matches && expect.needs_text());
  EXPECT_EQ(expect.finish_reasons, (std::vector<std::string>{"length", "stop_sequence"}));
  EXPECT_EQ(expect.model, "m");
  EXPECT_THAT(errors_with("    route: tgi\n    expect: {matches: '(('}\n"), HasSubstr("not a regular expression"));
  EXPECT_THAT(errors_with("    route: tgi\n    expect: {finish_reason: 7}\n"), HasSubstr("finish_reason"));
  EXPECT_THAT(errors_with("    route: tgi\n    expect: yes please\n"), HasSubstr("expect"));
}

}  // namespace
}  // namespace loadgen
