// What is kept of readings, by source and subject, and where keeping ends.
#include "loadgen/observe/sample_series.hpp"

#include <gtest/gtest.h>

namespace loadgen {
namespace {

SubjectReading of_gpu(const std::string& gpu, double used_mib) {
  SubjectReading one;
  one.subject.source = "nvml";
  one.subject.gpu = gpu;
  one.reading.values.set(ObservedMetric::gpu_memory_used_mib, used_mib);
  return one;
}

TEST(SampleStore, KeepsReadingsBySubjectInTheOrderOfTime) {
  SampleStore store;
  const std::size_t source = store.add_source({});
  store.add(source, 10, {{of_gpu("0", 1), of_gpu("1", 2)}, ""});
  store.add(source, 20, {{of_gpu("0", 3)}, "GPU 1: lost"});
  store.add(source, 30, {{}, "GPU 0: lost"});
  EXPECT_EQ(store.take_new().size(), 3U);
  EXPECT_TRUE(store.take_new().empty());
  const Observations kept = store.take();
  ASSERT_EQ(kept.series.size(), 2U);
  ASSERT_EQ(kept.series[0].readings.size(), 2U);
  EXPECT_EQ(kept.series[0].readings[1].at_ns, 20);
  EXPECT_EQ(kept.series[0].readings[1].values[ObservedMetric::gpu_memory_used_mib], 3);
  EXPECT_EQ(kept.series[1].readings.size(), 1U);
  ASSERT_EQ(kept.sources.size(), 1U);
  EXPECT_EQ(kept.sources[0].failed_at_ns, (std::vector<std::int64_t>{20, 30}));
  EXPECT_EQ(kept.sources[0].first_error, "GPU 1: lost");
}

TEST(SampleStore, WhatComesTooLateIsDropped) {
  SampleStore store;
  const std::size_t source = store.add_source({});
  EXPECT_EQ(store.take().sources.size(), 1U);
  store.add(source, 10, {{of_gpu("0", 1)}, "late"});
  EXPECT_TRUE(store.take_new().empty());
  EXPECT_TRUE(store.take().series.empty());
}

TEST(SampleStore, APageThatInventsModelsIsCutOffAndCounted) {
  SampleStore store;
  const std::size_t source = store.add_source({});
  for (std::size_t i = 0; i < SampleStore::most_subjects + 10; ++i)
    store.add(source, static_cast<std::int64_t>(i), {{of_gpu(std::to_string(i), 1)}, ""});
  const Observations kept = store.take();
  EXPECT_EQ(kept.series.size(), SampleStore::most_subjects);
  EXPECT_EQ(kept.sources[0].failed_at_ns.size(), 10U);
  EXPECT_NE(kept.sources[0].first_error.find("more GPUs or models"), std::string::npos);
}

}  // namespace
}  // namespace loadgen
