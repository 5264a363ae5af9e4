#include "loadgen/export/host_facts.hpp"

#include <gtest/gtest.h>

#include <fstream>

namespace loadgen {
namespace {

TEST(HostFacts, ReadsTheCpuAndTheGovernor) {
  std::string pattern = testing::TempDir() + "host_facts_XXXXXX";
  const std::filesystem::path root = mkdtemp(pattern.data());
  std::filesystem::create_directories(root / "proc");
  std::filesystem::create_directories(root / "sys/devices/system/cpu/cpu0/cpufreq");
  std::ofstream(root / "proc/cpuinfo") << "processor\t: 0\nmodel\t\t: 85\nmodel name\t: Fast CPU @ 2.20GHz\n";
  std::ofstream(root / "sys/devices/system/cpu/cpu0/cpufreq/scaling_governor") << "performance\n";
  const HostFacts facts = read_host_facts(root);
  EXPECT_EQ(facts.cpu, "Fast CPU @ 2.20GHz");
  EXPECT_EQ(facts.governor, "performance");
  EXPECT_EQ(facts.kernel.substr(0, 6), "Linux ");
  EXPECT_GT(facts.cores, 0u);
  std::filesystem::remove_all(root);
}

TEST(HostFacts, WhatCannotBeReadIsUnknown) {
  const HostFacts facts = read_host_facts("/nonexistent");
  EXPECT_EQ(facts.cpu, "unknown");
  EXPECT_EQ(facts.governor, "unknown");
}

}  // namespace
}  // namespace loadgen
