// The files of /proc and /sys in their real spellings, both cgroup versions, and none of them at all.
#include "loadgen/export/host_limits.hpp"

#include <gtest/gtest.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <fstream>

namespace loadgen {
namespace {

namespace fs = std::filesystem;

class HostLimitsTest : public testing::Test {
 protected:
  void SetUp() override { root_ = fs::temp_directory_path() / ("host_limits_" + std::to_string(::getpid())); }
  void TearDown() override { fs::remove_all(root_); }
  void put(const std::string& name, const std::string& text) const {
    fs::create_directories((root_ / name).parent_path());
    std::ofstream(root_ / name) << text;
  }
  fs::path root_;
};

TEST_F(HostLimitsTest, AreReadFromTheirFiles) {
  put("proc/sys/net/ipv4/ip_local_port_range", "32768\t60999\n");
  put("proc/net/sockstat", "sockets: used 99\nTCP: inuse 5 orphan 0 tw 12 alloc 6 mem 1\nUDP: inuse 3 mem 2\n");
  put("proc/sys/net/core/somaxconn", "4096\n");
  put("proc/stat", "cpu  10 0 10 70 0 0 0 10 0 0\ncpu0 1 2 3\n");
  put("proc/loadavg", "1.25 0.70 0.30 2/345 6789\n");
  put("sys/devices/system/clocksource/clocksource0/current_clocksource", "kvm-clock\n");
  put("sys/fs/cgroup/cpu.max", "150000 100000\n");
  const HostLimits limits = read_host_limits(root_);
  EXPECT_EQ(limits.local_ports, 28'232U);
  EXPECT_EQ(limits.time_wait, 12U);
  EXPECT_EQ(limits.listen_backlog, 4096U);
  EXPECT_DOUBLE_EQ(*limits.steal_share, 0.1);
  EXPECT_DOUBLE_EQ(*limits.load_average, 1.25);
  EXPECT_EQ(limits.clock_source, "kvm-clock");
  EXPECT_DOUBLE_EQ(*limits.cpu_quota, 1.5);
  put("sys/fs/cgroup/cpu.max", "max 100000\n");
  EXPECT_FALSE(read_host_limits(root_).cpu_quota);
  put("sys/fs/cgroup/cpu/cpu.cfs_quota_us", "-1\n");
  put("sys/fs/cgroup/cpu/cpu.cfs_period_us", "100000\n");
  EXPECT_FALSE(read_host_limits(root_).cpu_quota);
  put("sys/fs/cgroup/cpu/cpu.cfs_quota_us", "50000\n");
  EXPECT_DOUBLE_EQ(*read_host_limits(root_).cpu_quota, 0.5);
}

TEST_F(HostLimitsTest, WhatIsNotThereOrStrangeStaysAbsent) {
  const HostLimits none = read_host_limits(root_);
  EXPECT_FALSE(none.local_ports || none.time_wait || none.listen_backlog || none.cpu_quota || none.steal_share);
  EXPECT_TRUE(none.clock_source.empty());
  EXPECT_TRUE(none.open_files) << "asked of the kernel";
  put("proc/sys/net/ipv4/ip_local_port_range", "60999 32768\n");
  put("proc/net/sockstat", "TCP: tw many\n");
  put("proc/stat", "cpu 1 2\n");
  const HostLimits strange = read_host_limits(root_);
  EXPECT_FALSE(strange.local_ports || strange.time_wait || strange.steal_share);
}

TEST_F(HostLimitsTest, TheTimersOfThisProcessAreTriedAndLeftAlone) {
  const int before = ::prctl(PR_GET_TIMERSLACK);
  EXPECT_EQ(read_host_limits(root_).timer_slack_ns, 1U);
  EXPECT_EQ(::prctl(PR_GET_TIMERSLACK), before);
  const SleepError late = time_sleeps();
  EXPECT_GT(late.p50, 0) << "no sleep ends before its time";
  EXPECT_LE(late.p50, late.p99);
  EXPECT_EQ(::prctl(PR_GET_TIMERSLACK), before);
}

}  // namespace
}  // namespace loadgen
