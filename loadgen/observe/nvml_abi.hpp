// The part of NVML's binary interface that we call, written down so that building needs no GPU package. Names without
// a version suffix in NVML's header are macros; these are the symbols that the library has.
#pragma once

#include <cstdint>

namespace loadgen::nvml {

using Code = int;
inline constexpr Code ok = 0, not_supported = 3, insufficient_size = 7, gpu_is_lost = 15;

struct Device;  // opaque
using Handle = Device*;

struct Utilization {
  unsigned gpu = 0, memory = 0;  ///< percent
};
struct Memory {
  unsigned long long total = 0, free = 0, used = 0;  ///< bytes; `used` with what the driver reserves
};
struct MemoryV2 {
  unsigned version = 0;  ///< size and version of this structure, set by the caller
  unsigned long long total = 0, reserved = 0, free = 0, used = 0;
};
inline constexpr unsigned memory_v2_version = sizeof(MemoryV2) | (2U << 24U);

struct ProcessInfo {
  unsigned pid = 0;
  unsigned long long used_memory = 0;  ///< bytes; `not_available` where the driver does not know
  unsigned gpu_instance = 0, compute_instance = 0;
};
inline constexpr unsigned long long not_available = ~0ULL;

inline constexpr unsigned text_size = 96;     ///< of names, UUIDs and versions
inline constexpr int temperature_of_gpu = 0;  ///< of nvmlTemperatureSensors_t
inline constexpr int clock_of_sm = 1;         ///< of nvmlClockType_t

extern "C" {
using InitFunction = Code();
using ErrorStringFunction = const char*(Code);
using CountFunction = Code(unsigned*);
using HandleFunction = Code(unsigned, Handle*);
using TextFunction = Code(char*, unsigned);
using DeviceTextFunction = Code(Handle, char*, unsigned);
using UtilizationFunction = Code(Handle, Utilization*);
using MemoryFunction = Code(Handle, Memory*);
using MemoryV2Function = Code(Handle, MemoryV2*);
using UnsignedFunction = Code(Handle, unsigned*);
using TypedUnsignedFunction = Code(Handle, int, unsigned*);
using Unsigned64Function = Code(Handle, unsigned long long*);
using ProcessesFunction = Code(Handle, unsigned*, ProcessInfo*);
}

}  // namespace loadgen::nvml
