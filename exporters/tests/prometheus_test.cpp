// The /metrics text: golden, hostile, checked by rules of our own that promtool does not check, and by promtool.
#include "exporters/prometheus.hpp"

#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <limits>
#include <thread>

#include "exporters/tests/scratch_dir.hpp"

namespace exporters {
namespace {

TEST(Prometheus, golden) {
  PrometheusRegistry registry;
  registry.counter("requests_total", "Requests by result.", {{"result", "ok"}, {"model", "qwen2"}}).increment();
  registry.gauge("queue_size", "Waiting requests.").set(2.5);
  auto& wait = registry.histogram("wait_seconds", "Time in the queue.", {0.0001, 0.5, 2.0}, {{"model", "qwen2"}});
  for (const double value : {0.25, 0.5, 1.0, 3.0}) wait.observe(value);
  registry.counter("requests_total", "Requests by result.", {{"result", "bad"}}).increment(41);
  EXPECT_EQ(registry.render(),
            "# HELP requests_total Requests by result.\n"
            "# TYPE requests_total counter\n"
            "requests_total{model=\"qwen2\",result=\"ok\"} 1\n"
            "requests_total{result=\"bad\"} 41\n"
            "# HELP queue_size Waiting requests.\n"
            "# TYPE queue_size gauge\n"
            "queue_size 2.5\n"
            "# HELP wait_seconds Time in the queue.\n"
            "# TYPE wait_seconds histogram\n"
            "wait_seconds_bucket{model=\"qwen2\",le=\"0.0001\"} 0\n"
            "wait_seconds_bucket{model=\"qwen2\",le=\"0.5\"} 2\n"
            "wait_seconds_bucket{model=\"qwen2\",le=\"2\"} 3\n"
            "wait_seconds_bucket{model=\"qwen2\",le=\"+Inf\"} 4\n"
            "wait_seconds_sum{model=\"qwen2\"} 4.75\n"
            "wait_seconds_count{model=\"qwen2\"} 4\n");
}

TEST(Prometheus, prints_edges_and_values_as_tgi_does) {
  PrometheusRegistry registry;
  registry.histogram("d", "h", tgi_duration_edges());
  const std::string page = registry.render();
  EXPECT_NE(page.find("d_bucket{le=\"0.00015000000000000001\"} 0\n"), std::string::npos);
  EXPECT_NE(page.find("d_bucket{le=\"145.61096060497135\"} 0\n"), std::string::npos);
}

std::string gauge_text(double value) {
  const std::string page = render_prometheus({{"g", "", {{{}, Gauge{value}}}}});
  return page.substr(page.rfind("g ") + 2);
}

TEST(Prometheus, prints_every_number) {
  constexpr double inf = std::numeric_limits<double>::infinity();
  EXPECT_EQ(gauge_text(std::numeric_limits<double>::quiet_NaN()), "NaN\n");
  EXPECT_EQ(gauge_text(inf), "+Inf\n");
  EXPECT_EQ(gauge_text(-inf), "-Inf\n");
  EXPECT_EQ(gauge_text(-0.00001), "-0.00001\n");
  EXPECT_EQ(gauge_text(12'345'678'901'234'567.0), "12345678901234568\n");
  EXPECT_EQ(gauge_text(1e300), "1e+300\n");
  EXPECT_EQ(gauge_text(5e-324), "5e-324\n");
}

TEST(Prometheus, escapes_what_others_say) {
  EXPECT_EQ(render_prometheus({{"c_total", "line\nwith \\ and \"", {{{{"l", "a\"b\\c\nd}{,= e"}}, Counter{1}}}}}),
            "# HELP c_total line\\nwith \\\\ and \"\n"
            "# TYPE c_total counter\n"
            "c_total{l=\"a\\\"b\\\\c\\nd}{,= e\"} 1\n");
  EXPECT_EQ(render_prometheus({{"empty", "", {}}}), "");
}

TEST(Prometheus, what_is_no_utf8_does_not_spoil_the_page) {
  const std::string good = "\xc3\xa9 \xe2\x82\xac \xed\x9f\xbf \xf0\x9f\x98\x80";
  const auto label = [](const std::string& value) {
    const std::string page = render_prometheus({{"g", "", {{{{"l", value}}, Gauge{1}}}}});
    return page.substr(page.find("l=\"") + 3, page.size() - page.find("l=\"") - 3 - 5);
  };
  const std::string bad = "\xef\xbf\xbd";
  EXPECT_EQ(label(good), good);
  EXPECT_EQ(label("a\xff"
                  "b"),
            "a" + bad + "b");
  EXPECT_EQ(label("\xc0\xaf"), bad + bad) << "an overlong form";
  EXPECT_EQ(label("\xed\xa0\x80"), bad + bad + bad) << "a surrogate";
  EXPECT_EQ(label("\xf4\x90\x80\x80"), bad + bad + bad + bad) << "above the last character";
  EXPECT_EQ(label("\xe2\x82"), bad + bad) << "cut off";
  EXPECT_EQ(label("\xc3\""), bad + "\\\"") << "the quote stays a quote";
}

TEST(Prometheus, names_are_checked) {
  for (const auto* name : {"a", "_a", "A9_z"}) EXPECT_TRUE(is_prometheus_name(name)) << name;
  for (const auto* name : {"", "9a", "a-b", "a:b", "a b", "a\n", "\xc3\xa9"})
    EXPECT_FALSE(is_prometheus_name(name)) << name;
  PrometheusRegistry registry;
  EXPECT_DEATH(registry.counter("a-b", ""), "is_prometheus_name");
  EXPECT_DEATH(registry.counter("a", "", {{"l", "1"}, {"l", "2"}}), "same_name");
  EXPECT_DEATH(render_prometheus({{"a", "", {{{{"le", "1"}}, Gauge{1}}}}}), "le");
  EXPECT_DEATH(render_prometheus({{"a", "", {{{}, Gauge{1}}}}, {"a", "", {{{}, Gauge{1}}}}}), "is_new");
  EXPECT_DEATH(render_prometheus({{"a", "", {{{}, Gauge{1}}, {{}, Gauge{2}}}}}), "is_new");
  EXPECT_DEATH(render_prometheus({{"a", "", {{{}, Gauge{1}}, {{{"l", "x"}}, Counter{2}}}}}), "kind");
}

TEST(PrometheusRegistry, gives_the_same_metric_for_the_same_labels) {
  PrometheusRegistry registry;
  auto& first = registry.counter("c_total", "h", {{"a", "1"}, {"b", "2"}});
  EXPECT_EQ(&registry.counter("c_total", "h", {{"b", "2"}, {"a", "1"}}), &first);
  EXPECT_NE(&registry.counter("c_total", "h", {{"a", "1"}}), &first);
  EXPECT_DEATH(registry.gauge("c_total", "h", {{"a", "1"}, {"b", "2"}}), "live");
  EXPECT_DEATH(registry.gauge("c_total", "h"), "index");
}

TEST(PrometheusRegistry, counts_from_every_thread) {
  PrometheusRegistry registry;
  constexpr int each = 5000;
  std::vector<std::thread> threads;
  for (int t = 0; t < 3; ++t)
    threads.emplace_back([&registry, t] {
      for (int i = 0; i < each; ++i) {
        registry.counter("c_total", "h", {{"t", std::to_string(t)}}).increment();
        registry.gauge("g", "h").add(i % 2 == 0 ? 1 : -1);
        registry.histogram("h_seconds", "h", {1.0}).observe(i % 2);
        if (i % 1000 == 0) {
          EXPECT_FALSE(registry.render().empty());
        }
      }
    });
  for (auto& thread : threads) thread.join();
  for (int t = 0; t < 3; ++t) EXPECT_EQ(registry.counter("c_total", "h", {{"t", std::to_string(t)}}).value(), each);
  EXPECT_EQ(registry.gauge("g", "h").value(), 0);
  EXPECT_EQ(registry.histogram("h_seconds", "h", {1.0}).snapshot().count(), 3U * each);
}

PrometheusRegistry& filled(PrometheusRegistry& registry) {
  for (const auto* model : {"qwen2", "llama3", "odd \"name\"\n\\ \xff"}) {
    registry.counter("app_requests_total", "Requests.", {{"model", model}}).increment(3);
    registry.gauge("app_queue_size", "Waiting \\ requests\nnow.", {{"model", model}}).set(-1.5);
    auto& h = registry.histogram("app_wait_seconds", "Wait.", fine_duration_edges(), {{"model", model}});
    for (const double value : {0.00005, 0.1, 0.1, 1000.0}) h.observe(value);
  }
  return registry;
}

TEST(Prometheus, families_are_whole_and_buckets_cumulative) {
  PrometheusRegistry registry;
  std::istringstream page(filled(registry).render());
  std::vector<std::string> families;
  std::string series;
  double last = 0;
  for (std::string line; std::getline(page, line);) {
    if (line.starts_with("# TYPE ")) families.push_back(line.substr(7, line.rfind(' ') - 7));
    if (line.starts_with("#")) continue;
    ASSERT_FALSE(families.empty());
    ASSERT_TRUE(line.starts_with(families.back())) << line;
    const std::size_t edge = line.find(",le=\"");
    const double value = std::stod(line.substr(line.rfind(' ')));
    if (edge == std::string::npos) continue;
    if (line.substr(0, edge) != series) last = 0;
    series = line.substr(0, edge);
    ASSERT_GE(value, last) << line;
    last = value;
    if (line.find("+Inf") != std::string::npos) {
      EXPECT_EQ(value, 4) << line;
    }
  }
  EXPECT_EQ(families, (std::vector<std::string>{"app_requests_total", "app_queue_size", "app_wait_seconds"}));
}

TEST(Prometheus, promtool_has_no_complaint) {
  if (std::system("command -v promtool >/dev/null 2>&1") != 0) GTEST_SKIP() << "needs promtool (Debian: prometheus)";
  PrometheusRegistry registry;
  const ScratchDir dir;
  std::ofstream(dir / "page", std::ios::binary) << filled(registry).render();
  EXPECT_EQ(std::system(("promtool check metrics < " + (dir / "page").string() + " >&2").c_str()), 0);
}

}  // namespace
}  // namespace exporters
