// Distributions: what is drawn has the quantiles and the mean that are promised, and texts are read or refused clearly.
#include "refserver/engine/distribution.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "refserver/engine/keyed_random.hpp"

namespace refserver {
namespace {

using namespace std::chrono_literals;

constexpr const char* kSpelled[] = {
    "20ms",
    "uniform(10ms,30ms)",
    "exp(20ms)",
    "normal(20ms,5ms)",
    "normal(2ms,5ms)",
    "normal(5ms,0ms)",
    "lognormal(20ms,0.5)",
    "gamma(20ms,0.5)",
    "gamma(20ms,1)",
    "gamma(20ms,9)",
    "pareto(5ms,1.5,2s)",
    "pareto(5ms,1,1s)",
    "pareto(5ms,0.5,1s)",
    "bimodal(10ms,200ms,0.05)",
    "bimodal(200ms,10ms,0.95)",
    "list(10ms,12ms,40ms,12ms)",
    "5ms+exp(20ms)",
    " 5ms + uniform( 1ms , 2ms ) ",
};

class Spelled : public testing::TestWithParam<const char*> {};
INSTANTIATE_TEST_SUITE_P(All, Spelled, testing::ValuesIn(kSpelled));

TEST_P(Spelled, MeanIsTheIntegralOfTheQuantiles) {
  const auto d = parse_distribution(GetParam());
  ASSERT_TRUE(d.has_value()) << d.error();
  // By midpoints, finer and finer towards 1 where tails are.
  double integral = 0;
  double from = 0;
  for (int halving = 0; halving < 50; ++halving) {
    const double to = (from + 1) / 2;
    constexpr int steps = 4000;
    for (int i = 0; i < steps; ++i)
      integral += d->quantile_ns(from + (i + 0.5) * (to - from) / steps) * (to - from) / steps;
    from = to;
  }
  EXPECT_NEAR(integral, d->mean_ns(), d->mean_ns() * 2e-3 + 1);
}

TEST_P(Spelled, QuantilesNeverFallAndDrawsFollowThem) {
  const auto d = parse_distribution(GetParam());
  ASSERT_TRUE(d.has_value());
  for (double p = 0.001; p < 0.998; p += 0.001) ASSERT_LE(d->quantile_ns(p), d->quantile_ns(p + 0.001));
  constexpr std::size_t n = 20'000;
  std::vector<double> draws;
  for (std::size_t i = 0; i < n; ++i) {
    draws.push_back(static_cast<double>(d->draw(keyed_uniform(1, Draw::gap, i, 1)).count()));
  }
  std::ranges::sort(draws);
  for (const double p : {0.1, 0.25, 0.5, 0.75, 0.9, 0.99}) {
    // Four standard deviations of the share below the quantile, for ties too.
    const double slack = 4 * std::sqrt(p * (1 - p) * n);
    const auto below =
        static_cast<double>(std::ranges::lower_bound(draws, std::floor(d->quantile_ns(p))) - draws.begin());
    const auto up_to =
        static_cast<double>(std::ranges::upper_bound(draws, std::ceil(d->quantile_ns(p))) - draws.begin());
    EXPECT_LE(below, p * n + slack) << p;
    EXPECT_GE(up_to, p * n - slack) << p;
  }
}

TEST(Distribution, TextbookValues) {
  const auto quantile = [](const char* text, double p) { return parse_distribution(text)->quantile_ns(p) * 1e-6; };
  EXPECT_NEAR(quantile("exp(20ms)", 0.5), 20 * std::log(2), 1e-9);
  EXPECT_NEAR(quantile("normal(20ms,5ms)", 0.975), 20 + 5 * 1.959963985, 1e-6);
  EXPECT_NEAR(quantile("lognormal(20ms,0.5)", 0.99), 20 * std::exp(0.5 * 2.326347874), 1e-5);
  EXPECT_NEAR(quantile("gamma(20ms,1)", 0.99), 20 * std::log(100), 1e-6);
  EXPECT_NEAR(quantile("pareto(5ms,1.5,2s)", 0.99), 5 * std::pow(100, 1 / 1.5), 1e-6);
  EXPECT_NEAR(quantile("pareto(5ms,1.5,50ms)", 0.99), 50, 1e-9);
  EXPECT_NEAR(quantile("bimodal(10ms,200ms,0.05)", 0.94), 10, 1e-9);
  EXPECT_NEAR(quantile("bimodal(10ms,200ms,0.05)", 0.96), 200, 1e-9);
  EXPECT_NEAR(quantile("list(40ms,10ms)", 0.5), 10, 1e-9);
  EXPECT_NEAR(quantile("list(40ms,10ms)", 0.51), 40, 1e-9);
}

TEST(Distribution, NoDrawIsLongerThanAnHour) {
  EXPECT_EQ(parse_distribution("lognormal(1h,5)")->draw(0.999999), 1h);
  EXPECT_EQ(parse_distribution("pareto(1h,0.1,1h)")->draw(0.999999), 1h);
  EXPECT_EQ(parse_distribution("1h+1h")->draw(0.5), 1h);
}

TEST(Distribution, TheEndsOfTheUnitIntervalAreHarmless) {
  std::vector<std::string> spelled(std::begin(kSpelled), std::end(kSpelled));
  for (const char* shape : {"0.05", "0.3", "1", "7", "1000"})
    spelled.push_back("gamma(20ms," + std::string(shape) + ")");
  for (const char* more : {"lognormal(1h,5)", "pareto(1ns,0.1,1h)", "exp(1h)", "exp(0s)"}) spelled.emplace_back(more);
  for (const std::string& text : spelled) {
    const auto d = parse_distribution(text);
    ASSERT_TRUE(d.has_value()) << text;
    for (const double u : {0x1p-53, 1e-12, 1e-6, 1 - 1e-6, 1 - 1e-12, 1 - 0x1p-53}) {
      EXPECT_GE(d->draw(u), 0ns) << text << " " << u;
      EXPECT_LE(d->draw(u), 1h) << text << " " << u;
    }
  }
}

TEST(Distribution, AnyTextIsReadOrRefused) {
  const std::string alphabet = "0123456789.,()+-msuhnexpgalitbodrf \n\xff";
  int read = 0;
  for (std::uint64_t i = 0; i < 20'000; ++i) {
    std::string text = kSpelled[keyed_bits(i, Draw::gap, 0, 0) % std::size(kSpelled)];
    for (std::uint64_t edit = 0; edit < 1 + i % 3; ++edit) {
      const std::size_t at = keyed_bits(i, Draw::gap, 1, edit) % text.size();
      const char c = alphabet[keyed_bits(i, Draw::gap, 2, edit) % alphabet.size()];
      keyed_bits(i, Draw::gap, 3, edit) % 2 == 0 ? text.insert(at, 1, c) : text.replace(at, 1, 1, c);
    }
    const auto d = parse_distribution(text);
    if (d.has_error()) {
      ASSERT_FALSE(d.error().empty()) << text;
      continue;
    }
    ++read;
    ASSERT_TRUE(std::isfinite(d->mean_ns()) && d->mean_ns() >= 0) << text;
    ASSERT_LE(d->draw(0.3), d->draw(0.9)) << text;
  }
  EXPECT_GT(read, 500);
}

TEST(Distribution, ReadsFiles) {
  const auto path = std::filesystem::temp_directory_path() / ("plumbline_gaps_" + std::to_string(::getpid()) + ".txt");
  std::ofstream(path) << "# measured\n10ms\n\n  20ms # twice\r\n20ms\n";
  const auto good = parse_distribution("1ms+file(" + path.string() + ")");
  ASSERT_TRUE(good.has_value()) << good.error();
  EXPECT_EQ(good->draw(0.3), 11ms);
  EXPECT_EQ(good->draw(0.4), 21ms);
  std::ofstream(path) << "10ms\nten\n";
  EXPECT_NE(parse_distribution("file(" + path.string() + ")").error().find(":2: 'ten' is not a duration"),
            std::string::npos);
  std::ofstream(path) << "# nothing\n";
  EXPECT_NE(parse_distribution("file(" + path.string() + ")").error().find("has no durations"), std::string::npos);
  std::ofstream(path) << std::string(17U * 1024 * 1024, '1');
  EXPECT_NE(parse_distribution("file(" + path.string() + ")").error().find("bytes"), std::string::npos);
  std::filesystem::remove(path);
  for (const std::string& bad : {path.string(), std::string("/dev/zero"), std::string("/"), std::string()}) {
    EXPECT_TRUE(parse_distribution("file(" + bad + ")").has_error()) << bad;
  }
}

struct Bad {
  const char* text;
  const char* says;
};

TEST(Distribution, RefusesWhatItCannotMean) {
  const Bad table[] = {
      {"", "is not a distribution such as 20ms"},
      {"fast", "is not a distribution such as 20ms"},
      {"exp(20ms", "is not a distribution"},
      {"weibull(1ms,2)", "'weibull' is not a distribution; there are"},
      {"exp()", "'' in exp is not a duration"},
      {"exp(20ms,1)", "exp takes one duration, the mean"},
      {"exp(20)", "'20' in exp is not a duration"},
      {"exp(-1ms)", "'-1ms' in exp is not a duration"},
      {"exp(2h)", "at most 1h"},
      {"uniform(3ms,2ms)", "the first duration is longer"},
      {"normal(3ms)", "two durations, mean and standard deviation"},
      {"lognormal(3ms,nan)", "the sigma is a number from 0 to 5"},
      {"lognormal(3ms,1e9)", "the sigma is a number from 0 to 5"},
      {"gamma(3ms,0)", "the shape is a number from 0.05"},
      {"pareto(0ms,1,1s)", "the least value is 0"},
      {"pareto(1s,1,1ms)", "the cap is shorter"},
      {"pareto(1ms,0,1s)", "the alpha is a number"},
      {"bimodal(1ms,2ms,1.5)", "the share is a number from 0 to 1"},
      {"list(1ms,,2ms)", "'' in list is not a duration"},
      {"x+exp(1ms)", "'x' before '+' is not a duration"},
      {"+exp(1ms)", "before '+' is not a duration"},
      {"1ms+", "is not a distribution"},
      {"a\x1b[2J", "a?[2J"},
  };
  for (const Bad& bad : table) {
    const auto d = parse_distribution(bad.text);
    ASSERT_TRUE(d.has_error()) << bad.text;
    EXPECT_NE(d.error().find(bad.says), std::string::npos) << bad.text << " -> " << d.error();
  }
}

TEST(KeyedRandom, EveryPartOfTheKeyMatters) {
  const auto bits = keyed_bits(1, Draw::gap, 2, 3);
  EXPECT_NE(bits, keyed_bits(2, Draw::gap, 2, 3));
  EXPECT_NE(bits, keyed_bits(1, Draw::ttft, 2, 3));
  EXPECT_NE(bits, keyed_bits(1, Draw::gap, 3, 3));
  EXPECT_NE(bits, keyed_bits(1, Draw::gap, 2, 4));
  EXPECT_NE(keyed_bits(1, Draw::gap, 2, 3), keyed_bits(1, Draw::gap, 3, 2));
}

}  // namespace
}  // namespace refserver
