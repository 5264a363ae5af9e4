#include "loadgen/export/host_facts.hpp"

#include <sys/utsname.h>

#include <fstream>
#include <set>
#include <string>
#include <thread>

namespace loadgen {
namespace {

/// Value of the first `key : value` line that has this key (x86 and arm name the CPU differently).
std::string cpu_name(const std::filesystem::path& cpuinfo) {
  std::ifstream file(cpuinfo);
  const std::set<std::string> keys = {"model name", "Model", "Hardware", "cpu model", "uarch"};
  for (std::string line; std::getline(file, line);) {
    const auto colon = line.find(':');
    if (colon == std::string::npos) continue;
    const std::string key = line.substr(0, line.find_last_not_of(" \t", colon - 1) + 1);
    const auto value = line.find_first_not_of(" \t", colon + 1);
    if (keys.count(key) != 0 && value != std::string::npos) return line.substr(value);
  }
  return "unknown";
}

std::string first_line(const std::filesystem::path& path) {
  std::ifstream file(path);
  std::string line;
  return std::getline(file, line) && !line.empty() ? line : "unknown";
}

}  // namespace

HostFacts read_host_facts(const std::filesystem::path& root) {
  HostFacts facts;
  facts.cpu = cpu_name(root / "proc/cpuinfo");
  facts.governor = first_line(root / "sys/devices/system/cpu/cpu0/cpufreq/scaling_governor");
  utsname system{};
  facts.kernel = uname(&system) == 0 ? std::string(system.sysname) + " " + system.release : "unknown";
  facts.cores = std::thread::hardware_concurrency();
  return facts;
}

}  // namespace loadgen
