// Golden lines of each dialect, and hostile names: every written line is read back by parsers that split as daemons do.
#include "exporters/statsd.hpp"

#include <gtest/gtest.h>

#include <limits>
#include <map>
#include <random>
#include <set>

namespace exporters {
namespace {

constexpr auto in_front = StatsdPlace::in_front;
constexpr auto behind = StatsdPlace::behind;

std::string all_kinds(StatsdFormat format, const Labels& labels, StatsdPlace place = in_front) {
  const StatsdScope scope = make_statsd_scope(format, "llm", labels, place);
  Batch batch;
  append_statsd_counter(batch, scope, "requests.total", 12);
  append_statsd_gauge(batch, scope, "in_flight", 2.5);
  append_statsd_gauge(batch, scope, "change", -3);
  append_statsd_timer(batch, scope, "ttft", 12.034);
  EXPECT_EQ(batch.size(), 4U);
  EXPECT_EQ(batch.ends.back(), batch.bytes.size());
  std::string lines;
  for (std::size_t i = 0; i < batch.size(); ++i) lines += batch.slice(i, 1).bytes + "\n";
  return lines;
}

const Labels run_and_target = {{"run", "r1"}, {"target", "127.0.0.1:8080"}};

TEST(Statsd, golden_plain) {
  EXPECT_EQ(all_kinds(StatsdFormat::plain, run_and_target),
            "llm.r1.127_0_0_1_8080.requests.total:12|c\n"
            "llm.r1.127_0_0_1_8080.in_flight:2.5|g\n"
            "llm.r1.127_0_0_1_8080.change:0|g\nllm.r1.127_0_0_1_8080.change:-3|g\n"
            "llm.r1.127_0_0_1_8080.ttft:12.034|ms\n");
  EXPECT_EQ(all_kinds(StatsdFormat::plain, {{"model", "qwen2"}}, behind),
            "llm.requests.total.qwen2:12|c\n"
            "llm.in_flight.qwen2:2.5|g\n"
            "llm.change.qwen2:0|g\nllm.change.qwen2:-3|g\n"
            "llm.ttft.qwen2:12.034|ms\n");
}

TEST(Statsd, golden_dogstatsd) {
  EXPECT_EQ(all_kinds(StatsdFormat::dogstatsd, run_and_target),
            "llm.requests.total:12|c|#run:r1,target:127.0.0.1:8080\n"
            "llm.in_flight:2.5|g|#run:r1,target:127.0.0.1:8080\n"
            "llm.change:0|g|#run:r1,target:127.0.0.1:8080\nllm.change:-3|g|#run:r1,target:127.0.0.1:8080\n"
            "llm.ttft:12.034|ms|#run:r1,target:127.0.0.1:8080\n");
}

TEST(Statsd, golden_influx) {
  EXPECT_EQ(all_kinds(StatsdFormat::influx, run_and_target),
            "llm.requests.total,run=r1,target=127.0.0.1_8080:12|c\n"
            "llm.in_flight,run=r1,target=127.0.0.1_8080:2.5|g\n"
            "llm.change,run=r1,target=127.0.0.1_8080:0|g\nllm.change,run=r1,target=127.0.0.1_8080:-3|g\n"
            "llm.ttft,run=r1,target=127.0.0.1_8080:12.034|ms\n");
}

TEST(Statsd, without_prefix_and_labels_the_name_stands_alone) {
  for (const auto format : {StatsdFormat::plain, StatsdFormat::dogstatsd, StatsdFormat::influx}) {
    Batch batch;
    append_statsd_counter(batch, make_statsd_scope(format, "", {}, in_front), "errors.timeout", 1);
    EXPECT_EQ(batch.bytes, "errors.timeout:1|c");
  }
}

TEST(Statsd, what_says_nothing_is_not_written) {
  Batch batch;
  append_statsd_counter(batch, {}, "c", 0);
  append_statsd_gauge(batch, {}, "g", std::numeric_limits<double>::quiet_NaN());
  append_statsd_gauge(batch, {}, "g", -std::numeric_limits<double>::infinity());
  append_statsd_timers(batch, {}, "t", Distribution(), 10);
  append_statsd_percentiles(batch, {}, "t", Distribution());
  EXPECT_TRUE(batch.empty());
  EXPECT_EQ(batch.bytes, "");
}

std::string gauge(double value) {
  Batch batch;
  append_statsd_gauge(batch, {}, "g", value);
  return batch.bytes;
}

TEST(Statsd, numbers_have_no_exponent_and_zero_no_sign) {
  EXPECT_EQ(gauge(-0.0), "g:0|g");
  EXPECT_EQ(gauge(1e20), "g:100000000000000000000|g");
  EXPECT_EQ(gauge(0.00001), "g:0.00001|g");
  EXPECT_EQ(gauge(-0.5), "g:0|g\ng:-0.5|g");
}

TEST(Statsd, names) {
  for (const auto* name : {"a", "requests.total", "A-9_.b"}) EXPECT_TRUE(is_statsd_name(name)) << name;
  for (const auto* name : {"", ".a", "a.", "a..b", "a b", "a:b", "a|b", "a\n", "\xc3\xa9"})
    EXPECT_FALSE(is_statsd_name(name)) << name;
  EXPECT_TRUE(is_statsd_name(std::string(100, 'a')));
  EXPECT_FALSE(is_statsd_name(std::string(101, 'a')));
  EXPECT_EQ(statsd_word("a.b:c/d e|f\xc3\xa9"), "a_b_c_d_e_f__");
  EXPECT_EQ(statsd_word(""), "none");
  EXPECT_EQ(statsd_word(std::string(65536, 'x')), std::string(100, 'x'));
  EXPECT_EQ(statsd_format_from("influx"), StatsdFormat::influx);
  EXPECT_EQ(statsd_format_from("graphite"), std::nullopt);
}

TEST(Statsd, words_of_different_texts_stay_apart) {
  EXPECT_EQ(distinct_statsd_words({"a.b", "a:b", "generator", "a b"}, {"generator"}),
            (std::vector<std::string>{"a_b", "a_b-2", "generator-2", "a_b-3"}));
  EXPECT_EQ(distinct_statsd_words({"a-2", "a", "a"}), (std::vector<std::string>{"a-2", "a", "a-3"}));
}

// --- timers

Distribution one_to(int last) {
  Distribution values;
  for (int ms = 1; ms <= last; ++ms) values.record_ns(std::int64_t{ms} * 1'000'000);
  return values;
}

std::vector<double> timers(const Distribution& values, std::size_t limit) {
  Batch batch;
  append_statsd_timers(batch, {}, "t", values, limit);
  std::vector<double> sent;
  for (std::size_t i = 0; i < batch.size(); ++i) sent.push_back(std::stod(batch.slice(i, 1).bytes.substr(2)));
  return sent;
}

TEST(Statsd, few_values_are_all_sent) {
  const std::vector<double> sent = timers(one_to(5), 5);
  ASSERT_EQ(sent.size(), 5U);
  for (std::size_t k = 0; k < sent.size(); ++k) EXPECT_NEAR(sent[k], static_cast<double>(k + 1), 0.001 * sent[k]);
  Distribution same;
  same.record_ns(2'000'000, 3);
  EXPECT_EQ(timers(same, 100), (std::vector<double>{2, 2, 2}));
}

TEST(Statsd, of_many_values_evenly_spaced_ranks_are_sent) {
  const std::vector<double> sent = timers(one_to(1000), 10);
  ASSERT_EQ(sent.size(), 10U);
  for (std::size_t k = 0; k < sent.size(); ++k)
    EXPECT_NEAR(sent[k], static_cast<double>(100 * k + 51), 0.001 * sent[k]);
  EXPECT_TRUE(timers(one_to(5), 0).empty());
}

TEST(Statsd, percentiles_are_the_histograms_own) {
  Distribution values = one_to(100);
  Batch batch;
  append_statsd_percentiles(batch, make_statsd_scope(StatsdFormat::plain, "llm", {}, in_front), "ttft", values);
  EXPECT_EQ(batch.bytes, "llm.ttft.p50:50.015|gllm.ttft.p95:95.039|gllm.ttft.p99:99.007|gllm.ttft.max:100.031|g");
  Batch joined;
  append_statsd_percentiles(joined, {}, "ttft", one_to(1), '_');
  EXPECT_EQ(joined.slice(0, 1).bytes, "ttft_p50:1|g");
  values.record_censored(5'000'000'000);
  values.record_censored(5'000'000'000);
  batch.clear();
  append_statsd_percentiles(batch, {}, "ttft", values);
  EXPECT_EQ(batch.bytes.find("p99"), std::string::npos) << "it is only known to be above what was waited for";
  EXPECT_NE(batch.bytes.find("p95"), std::string::npos);
}

// --- hostile texts

/// As a daemon splits a line: name, tags, value, type.
struct Read {
  std::string name;
  std::map<std::string, std::string> tags;
  std::string value, type;
};

std::vector<std::string> split(const std::string& text, char at) {
  std::vector<std::string> parts(1);
  for (const char c : text) {
    if (c == at)
      parts.emplace_back();
    else
      parts.back() += c;
  }
  return parts;
}

Read read_dogstatsd(const std::string& line) {
  const auto sections = split(line, '|');
  const std::size_t colon = sections.at(0).find(':');
  Read read{sections[0].substr(0, colon), {}, sections[0].substr(colon + 1), sections.at(1)};
  if (sections.size() < 3) return read;
  EXPECT_EQ(sections.size(), 3U) << line;
  EXPECT_EQ(sections[2].at(0), '#') << line;
  for (const std::string& tag : split(sections[2].substr(1), ',')) {
    const std::size_t end = tag.find(':');
    EXPECT_NE(end, std::string::npos) << line;
    read.tags[tag.substr(0, end)] = tag.substr(end + 1);
  }
  return read;
}

Read read_influx(const std::string& line) {
  const auto halves = split(line, ':');
  EXPECT_EQ(halves.size(), 2U) << line;
  const auto value = split(halves.at(1), '|');
  EXPECT_EQ(value.size(), 2U) << line;
  const auto parts = split(halves[0], ',');
  Read read{parts[0], {}, value[0], value[1]};
  for (std::size_t i = 1; i < parts.size(); ++i) {
    const auto pair = split(parts[i], '=');
    EXPECT_EQ(pair.size(), 2U) << line;
    read.tags[pair[0]] = pair.at(1);
  }
  return read;
}

/// Everything a daemon or a terminal could stumble over, from two bytes to 64 KB.
std::string hostile_text(std::mt19937& random) {
  static constexpr std::string_view nasty = ":|@#,=\n\r\t\0. \"'\\;{}%$\x7f\xc3\xa9\xff\xe2\x80\xa8xyz";
  const std::size_t length = random() % 20 == 0 ? 65536 : random() % 24;
  std::string text;
  for (std::size_t i = 0; i < length; ++i) text += nasty[random() % nasty.size()];
  return text;
}

TEST(Statsd, hostile_values_never_make_or_change_another_metric) {
  std::mt19937 random(7);
  for (int round = 0; round < 2000; ++round) {
    const Labels labels = {{"run", hostile_text(random)}, {"model", hostile_text(random)}};
    for (const auto format : {StatsdFormat::plain, StatsdFormat::dogstatsd, StatsdFormat::influx}) {
      Batch batch;
      append_statsd_counter(batch, make_statsd_scope(format, "llm", labels, in_front), "requests.total", 5);
      ASSERT_EQ(batch.size(), 1U);
      ASSERT_LE(batch.bytes.size(), 600U);
      for (const char c : batch.bytes) ASSERT_TRUE(c > 0x20 && c < 0x7f) << batch.bytes;
      const Read read = format == StatsdFormat::influx ? read_influx(batch.bytes) : read_dogstatsd(batch.bytes);
      ASSERT_EQ(read.value, "5");
      ASSERT_EQ(read.type, "c");
      if (format == StatsdFormat::plain) {
        ASSERT_EQ(split(read.name, '.').size(), 5U) << read.name;
        ASSERT_TRUE(read.name.starts_with("llm.") && read.name.ends_with(".requests.total")) << read.name;
        ASSERT_TRUE(is_statsd_name(read.name.substr(0, 100)) || read.name.size() > 100) << read.name;
      } else {
        ASSERT_EQ(read.name, "llm.requests.total");
        const std::size_t expected = (labels[0].value.empty() ? 0U : 1U) + (labels[1].value.empty() ? 0U : 1U);
        ASSERT_EQ(read.tags.size(), expected) << batch.bytes;
        for (const auto& [name, value] : read.tags) {
          ASSERT_TRUE(name == "run" || name == "model") << batch.bytes;
          ASSERT_FALSE(value.empty());
        }
      }
    }
  }
}

TEST(Statsd, our_own_names_are_checked) {
  Batch batch;
  EXPECT_DEATH(append_statsd_counter(batch, {}, "a:1|c\nb", 1), "is_statsd_name");
  EXPECT_DEATH(make_statsd_scope(StatsdFormat::influx, "", {{"a=b", "c"}}, in_front), "is_statsd_name");
  EXPECT_DEATH(make_statsd_scope(StatsdFormat::plain, "a\n", {}, in_front), "is_statsd_name");
}

}  // namespace
}  // namespace exporters
