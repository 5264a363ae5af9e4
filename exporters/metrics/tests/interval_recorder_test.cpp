// Swapping hands over exactly what was recorded since the last swap.
#include "exporters/metrics/interval_recorder.hpp"

#include <gtest/gtest.h>

#include "exporters/metrics/distribution.hpp"

namespace exporters {
namespace {

TEST(IntervalRecorder, hands_over_each_interval_once) {
  IntervalRecorder<Distribution> recorder(std::make_unique<Distribution>());
  recorder.active().record_ns(1'000'000, 3);
  auto first = recorder.swap(std::make_unique<Distribution>());
  EXPECT_EQ(first->count(), 3U);
  EXPECT_EQ(recorder.active().count(), 0U);
  recorder.active().record_ns(1'000'000, 5);
  first->reset();
  const auto second = recorder.swap(std::move(first));
  EXPECT_EQ(second->count(), 5U);
  EXPECT_EQ(recorder.active().count(), 0U);
}

TEST(IntervalRecorder, refuses_to_be_without_a_recorder) {
  IntervalRecorder<int> recorder(std::make_unique<int>(1));
  EXPECT_DEATH(static_cast<void>(recorder.swap(nullptr)), "spare");
}

}  // namespace
}  // namespace exporters
