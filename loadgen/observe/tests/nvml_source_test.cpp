// NVML through a library of ours: everything there, little there, nothing there, errors, a GPU that gets lost.
#include "loadgen/observe/nvml_source.hpp"

#include <dlfcn.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <stdexcept>

#include "loadgen/observe/observer.hpp"

namespace loadgen {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr const char* whole = FAKE_NVML_FOLDER "/libfake_nvml_whole.so";
constexpr const char* bare = FAKE_NVML_FOLDER "/libfake_nvml_bare.so";
constexpr const char* broken = FAKE_NVML_FOLDER "/libfake_nvml_broken.so";

/// Keeps the fake library loaded, and with it what it was told to say.
class Fake {
 public:
  Fake() : library_(::dlopen(whole, RTLD_NOW | RTLD_LOCAL)) {
    if (library_ == nullptr) throw std::runtime_error(::dlerror());
    for (const auto& [name, value] : {std::pair("init_code", 0),
                                      {"gpus", 1},
                                      {"lost_gpu", -1},
                                      {"throttle", 0},
                                      {"no_processes", 0},
                                      {"energy_mj", 5000},
                                      {"utilization", 87}})
      set(name, value);
  }
  Fake(const Fake&) = delete;
  Fake& operator=(const Fake&) = delete;
  ~Fake() { ::dlclose(library_); }

  void set(const char* name, long value) {
    auto* const function = reinterpret_cast<int (*)(const char*, long)>(::dlsym(library_, "fake_nvml_set"));
    if (function == nullptr || function(name, value) != 0) throw std::invalid_argument(name);
  }

 private:
  void* library_;
};

std::unique_ptr<NvmlSource> open(const char* path, std::optional<double> baseline = std::nullopt) {
  const auto library = NvmlLibrary::open(path);
  if (!library) throw std::runtime_error(library.error());
  auto source = NvmlSource::open(*library, baseline);
  if (!source) throw std::runtime_error(source.error());
  return std::move(*source);
}

TEST(NvmlSource, ReadsEveryGpuInOurUnits) {
  Fake fake;
  fake.set("gpus", 2);
  fake.set("throttle", 0x4 | 0x40);
  const auto source = open(whole);
  const SourceRead read = source->read();
  EXPECT_EQ(read.error, "");
  ASSERT_EQ(read.readings.size(), 2U);
  const auto& [subject, reading] = read.readings[1];
  EXPECT_EQ(subject.gpu, "1");
  EXPECT_EQ(subject.uuid, "GPU-fake-1");
  EXPECT_EQ(subject.name, "Fake GPU");
  EXPECT_EQ(subject.source, "nvml");
  const Values& values = reading.values;
  EXPECT_EQ(values[ObservedMetric::gpu_utilization], 87);
  EXPECT_EQ(values[ObservedMetric::gpu_memory_used_mib], 2048);
  EXPECT_EQ(values[ObservedMetric::gpu_memory_total_mib], 8192);
  EXPECT_EQ(values[ObservedMetric::gpu_process_memory_mib], 512);
  EXPECT_EQ(values[ObservedMetric::gpu_power_w], 200);
  EXPECT_EQ(values[ObservedMetric::gpu_energy_j], 5);
  EXPECT_EQ(values[ObservedMetric::gpu_temperature_c], 61);
  EXPECT_EQ(values[ObservedMetric::gpu_sm_clock_mhz], 1755);
  EXPECT_TRUE(reading.knows_throttle);
  EXPECT_EQ(reading.throttle, Throttle::power_cap | Throttle::hw_thermal) << "idleness is no throttling";
  fake.set("energy_mj", 12'345);
  EXPECT_EQ(source->read().readings[1].reading.values[ObservedMetric::gpu_energy_j], 12.345);
  EXPECT_THAT(source->notes(), ElementsAre("driver 999.1"));
}

TEST(NvmlSource, SaysWhenProcessesAreNotKnown) {
  Fake fake;
  fake.set("no_processes", 1);
  const auto beside_start = open(whole);
  EXPECT_EQ(beside_start->read().readings[0].reading.values[ObservedMetric::gpu_process_memory_mib], 0);
  EXPECT_THAT(beside_start->notes().back(), AllOf(HasSubstr("less 1024 MiB"), HasSubstr("before the load")));
  const auto beside_given = open(whole, 300.0);
  EXPECT_EQ(beside_given->read().readings[0].reading.values[ObservedMetric::gpu_process_memory_mib], 724);
  EXPECT_THAT(beside_given->notes().back(), HasSubstr("less 300 MiB, as given"));
}

TEST(NvmlSource, LeavesOutWhatADriverDoesNotHave) {
  const auto source = open(bare);
  const SourceRead read = source->read();
  EXPECT_EQ(read.error, "");
  ASSERT_EQ(read.readings.size(), 1U);
  EXPECT_EQ(read.readings[0].subject.gpu, "0");
  EXPECT_FALSE(read.readings[0].reading.knows_throttle);
  for (std::size_t i = 0; i < read_metric_count; ++i)
    EXPECT_FALSE(read.readings[0].reading.values.has(static_cast<ObservedMetric>(i))) << observed_metrics[i].name;
}

TEST(NvmlSource, AGpuThatGetsLostEndsNothingElse) {
  Fake fake;
  fake.set("gpus", 2);
  const auto source = open(whole);
  EXPECT_EQ(source->read().readings.size(), 2U);
  fake.set("lost_gpu", 0);
  const SourceRead read = source->read();
  ASSERT_EQ(read.readings.size(), 1U);
  EXPECT_EQ(read.readings[0].subject.gpu, "1");
  EXPECT_EQ(read.error, "GPU 0: GPU is lost (15)");
}

TEST(NvmlLibrary, SaysInOneLineWhyThereIsNone) {
  const auto error_of = [](const char* path) {
    const auto library = NvmlLibrary::open(path);
    return library ? "opened" : library.error();
  };
  const std::string absent = error_of("/nonexistent/libnvidia-ml.so.1");
  EXPECT_THAT(absent, AllOf(HasSubstr("/nonexistent/libnvidia-ml.so.1"), HasSubstr("LOADGEN_NVML_LIBRARY")));
  EXPECT_EQ(std::count(absent.begin(), absent.end(), '\n'), 0);
  EXPECT_THAT(error_of(broken), HasSubstr("it lacks nvmlDeviceGetCount_v2"));
  EXPECT_THAT(error_of("libc.so.6"), HasSubstr("it lacks nvmlInit_v2"));
  Fake fake;
  fake.set("init_code", 9);
  EXPECT_THAT(error_of(whole), HasSubstr("nvmlInit_v2: Driver Not Loaded (9)"));
}

TEST(NvmlLibrary, IsLookedForWhereWslHasItToo) {
  const auto library = NvmlLibrary::open(nullptr);
  if (library) GTEST_SKIP() << "this machine has a driver";
  EXPECT_THAT(library.error(), AllOf(HasSubstr("libnvidia-ml.so.1: cannot open"),
                                     HasSubstr("; /usr/lib/wsl/lib/libnvidia-ml.so.1: cannot open")));
}

TEST(NvmlLibrary, MachinesWithoutGpusAreNoSource) {
  Fake fake;
  fake.set("gpus", 0);
  const auto library = NvmlLibrary::open(whole);
  ASSERT_TRUE(library.has_value());
  const auto source = NvmlSource::open(*library, std::nullopt);
  ASSERT_FALSE(source.has_value());
  EXPECT_THAT(source.error(), HasSubstr("no GPU"));
}

TEST(DescribeNvml, NamesTheGpusOrTheReason) {
  Fake fake;
  fake.set("gpus", 2);
  const auto found = describe_nvml(whole);
  ASSERT_TRUE(found.has_value());
  EXPECT_EQ(*found, "Fake GPU (8192 MiB), Fake GPU (8192 MiB), driver 999.1");
  EXPECT_FALSE(describe_nvml("/nonexistent.so").has_value());
}

}  // namespace
}  // namespace loadgen
