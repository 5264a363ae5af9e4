// The closed forms against what else is known of them.
#include "refserver/simulate/queueing.hpp"

#include <gtest/gtest.h>

#include <cmath>

namespace refserver {
namespace {

TEST(Queueing, MM1IsItsTextbookSelf) {
  const SingleServer queue{0.8, 1};
  EXPECT_NEAR(mm1_mean_wait(queue), 4, 1e-12);
  // P(wait > t) = rho exp(-(1 - rho) t).
  for (const double p : {0.3, 0.5, 0.9, 0.99}) {
    EXPECT_NEAR(0.8 * std::exp(-0.2 * mm1_wait_quantile(queue, p)), 1 - p, 1e-12) << p;
  }
  EXPECT_EQ(mm1_wait_quantile(queue, 0.1), 0);
  EXPECT_EQ(mm1_wait_quantile({0.5, 1}, 0.5), 0);
}

TEST(Queueing, TimesScaleWithTheService) {
  EXPECT_NEAR(mm1_mean_wait({0.8e-6, 1e6}), 4e6, 1e-3);
  EXPECT_NEAR(md1_wait_quantile({0.8e-6, 1e6}, 0.99), md1_wait_quantile({0.8, 1}, 0.99) * 1e6, 1e-3);
}

TEST(Queueing, MD1WithinOneServiceTimeIsAnExponential) {
  for (const double rho : {0.1, 0.5, 0.9}) {
    for (const double t : {0.0, 0.25, 0.999}) {
      EXPECT_NEAR(md1_wait_cdf({rho, 1}, t), (1 - rho) * std::exp(rho * t), 1e-12) << rho << " " << t;
    }
  }
}

TEST(Queueing, MD1MeanIsTheIntegralOfItsTail) {
  for (const double rho : {0.2, 0.5, 0.8, 0.9, 0.95}) {
    const SingleServer queue{rho, 1};
    double integral = 0;
    constexpr double step = 0.02;
    for (double t = step / 2; t < 40 / (1 - rho); t += step) integral += (1 - md1_wait_cdf(queue, t)) * step;
    EXPECT_NEAR(integral, md1_mean_wait(queue), md1_mean_wait(queue) * 1e-4) << rho;
  }
}

TEST(Queueing, SeriesAndTailMeet) {
  for (const double rho : {0.3, 0.5, 0.8, 0.9, 0.99}) {
    const double before = 1 - md1_wait_cdf({rho, 1}, 20 - 1e-9);
    const double after = 1 - md1_wait_cdf({rho, 1}, 20 + 1e-9);
    EXPECT_NEAR(after, before, 1e-10 + before * 1e-6) << rho;
  }
}

TEST(Queueing, QuantilesInvertTheDistribution) {
  for (const double rho : {0.5, 0.9}) {
    for (const double p : {0.6, 0.9, 0.99, 0.9999}) {
      EXPECT_NEAR(md1_wait_cdf({rho, 1}, md1_wait_quantile({rho, 1}, p)), p, 1e-9) << rho << " " << p;
    }
  }
  EXPECT_EQ(md1_wait_quantile({0.5, 1}, 0.4), 0);
}

}  // namespace
}  // namespace refserver
