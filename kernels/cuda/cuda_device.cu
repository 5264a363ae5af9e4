// The GPU as a Device: one stream, memory of the runtime, kernels of the list; and the search for one.
#include <array>
#include <stdexcept>
#include <string>

#include "kernels/cuda/block_cache.hpp"
#include "kernels/cuda/cublas.hpp"
#include "kernels/cuda/cuda_backend.hpp"
#include "kernels/cuda/device.hpp"
#include "kernels/cuda/launch.cuh"

namespace kernels {
namespace cuda {

PLUMBLINE_MATMUL_KERNELS(extern, Int4Codec);
PLUMBLINE_MATMUL_KERNELS(extern, Int8Codec);
PLUMBLINE_MATMUL_KERNELS(extern, HalfCodec);
PLUMBLINE_DEEP_AND_WIDE_KERNELS(extern);

namespace {

void check(cudaError_t error, const char* what) {
  if (error != cudaSuccess) throw std::runtime_error(std::string("CUDA: ") + what + ": " + cudaGetErrorString(error));
}

struct Entry {
  cudaError_t (*prepare)();
  cudaError_t (*launch)(unsigned blocks, const void* args, cudaStream_t stream, LaunchOverlap overlap);
};

template <class... Kernels>
constexpr std::array<Entry, sizeof...(Kernels)> entries(KernelList<Kernels...>) {
  return {{{prepare_kernel<Kernels>, launch_kernel<Kernels>}...}};
}

void* allocate_memory(std::size_t bytes) {
  void* memory = nullptr;
  if (cudaMalloc(&memory, bytes) != cudaSuccess) {
    (void)cudaGetLastError();  // running out is the caller's to handle, not a broken device
    throw std::runtime_error("CUDA: no " + std::to_string(bytes >> 20U) + " MiB of device memory left");
  }
  return memory;
}

int attribute(cudaDeviceAttr which) {
  int value = 0;
  check(cudaDeviceGetAttribute(&value, which, 0), "a property of the device");
  return value;
}

/// Only the machine code for 9.0 has the instructions that wait: newer cards run the PTX for 8.0.
bool can_overlap() {
  int driver = 0;
  check(cudaDriverGetVersion(&driver), "version of the driver");
  return driver >= 12040 && attribute(cudaDevAttrComputeCapabilityMajor) == 9 &&
         attribute(cudaDevAttrComputeCapabilityMinor) == 0;
}

class GpuDevice final : public Device {
 public:
  GpuDevice()
      : processors_(static_cast<unsigned>(attribute(cudaDevAttrMultiProcessorCount))),
        shared_bytes_(static_cast<std::size_t>(attribute(cudaDevAttrMaxSharedMemoryPerMultiprocessor))) {
    check(cudaStreamCreateWithFlags(&stream_, cudaStreamNonBlocking), "a stream");
  }
  ~GpuDevice() override { cudaStreamDestroy(stream_); }
  GpuDevice(const GpuDevice&) = delete;
  GpuDevice& operator=(const GpuDevice&) = delete;

  unsigned processors() const noexcept override { return processors_; }
  std::size_t shared_bytes() const noexcept override { return shared_bytes_; }
  void* allocate(std::size_t bytes) override { return blocks_.allocate(bytes); }
  void release(void* memory) noexcept override { blocks_.release(memory); }
  void zero(void* memory, std::size_t bytes) override { check(cudaMemsetAsync(memory, 0, bytes, stream_), "memset"); }
  void copy_in(void* to, const void* from, std::size_t bytes) override {
    // From pageable memory: it has been read when this returns.
    check(cudaMemcpyAsync(to, from, bytes, cudaMemcpyHostToDevice, stream_), "copy to the device");
  }
  void copy(void* to, const void* from, std::size_t bytes) override {
    check(cudaMemcpyAsync(to, from, bytes, cudaMemcpyDeviceToDevice, stream_), "copy on the device");
  }
  void copy_out(void* to, const void* from, std::size_t bytes) override {
    check(cudaMemcpyAsync(to, from, bytes, cudaMemcpyDeviceToHost, stream_), "copy from the device");
    check(cudaStreamSynchronize(stream_), "kernels before a copy");
  }
  bool library_product(const std::uint16_t* w, const std::uint16_t* x, float* y, std::size_t out, std::size_t in,
                       std::size_t rows, std::size_t y_stride) override {
    return cublas_.product(stream_, w, x, y, out, in, rows, y_stride);
  }
  bool library_bf16(const std::uint16_t* w, const std::uint16_t* x, std::uint16_t* y, std::size_t out, std::size_t in,
                    std::size_t rows) override {
    return cublas_.product_bf16(stream_, w, x, y, out, in, rows);
  }
  std::unique_ptr<Recording> record(const std::function<void()>& work) override;
  bool set_overlap(LaunchOverlap overlap) override {
    if (overlap != LaunchOverlap::none && !can_overlap()) return false;
    overlap_ = overlap;
    return true;
  }
  DeviceFacts facts() const override;
  double time(const std::function<void()>& work, unsigned repeats, Dispatch dispatch) override;

 protected:
  void do_launch(std::size_t kernel, std::size_t blocks, const void* args) override {
    static constexpr auto kEntries = entries(AllKernels{});
    if (blocks > INT32_MAX) throw std::runtime_error("CUDA: a grid of more than 2^31 blocks");
    if (!prepared_[kernel]) {
      check(kEntries[kernel].prepare(), "shared memory of a kernel");
      prepared_[kernel] = true;
    }
    check(kEntries[kernel].launch(static_cast<unsigned>(blocks), args, stream_, overlap_), "a launch");
  }

 private:
  unsigned processors_;
  std::size_t shared_bytes_;
  LaunchOverlap overlap_ = LaunchOverlap::none;
  cudaStream_t stream_ = nullptr;
  BlockCache blocks_{allocate_memory, [](void* memory) { cudaFree(memory); }};
  Cublas cublas_;
  std::array<bool, AllKernels::kCount> prepared_{};
};

DeviceFacts GpuDevice::facts() const {
  DeviceFacts facts;
  cudaDeviceProp properties{};
  check(cudaGetDeviceProperties(&properties, 0), "properties of the device");
  facts.name = properties.name;
  facts.capability = std::to_string(properties.major) + "." + std::to_string(properties.minor);
  facts.second_level_bytes = static_cast<std::size_t>(properties.l2CacheSize);
  check(cudaDriverGetVersion(&facts.driver_version), "version of the driver");
  check(cudaRuntimeGetVersion(&facts.runtime_version), "version of the runtime");
  check(cudaMemGetInfo(&facts.free_bytes, &facts.total_bytes), "memory of the device");
  return facts;
}

class GpuRecording final : public Recording {
 public:
  GpuRecording(cudaStream_t stream, const std::function<void()>& work) : stream_(stream) {
    check(cudaStreamBeginCapture(stream_, cudaStreamCaptureModeThreadLocal), "begin of a graph");
    cudaGraph_t graph = nullptr;
    try {
      work();
    } catch (...) {
      cudaStreamEndCapture(stream_, &graph);
      if (graph != nullptr) cudaGraphDestroy(graph);
      throw;
    }
    check(cudaStreamEndCapture(stream_, &graph), "end of a graph");
    const cudaError_t made = cudaGraphInstantiate(&executable_, graph, 0);
    cudaGraphDestroy(graph);
    check(made, "a graph");
  }
  ~GpuRecording() override { cudaGraphExecDestroy(executable_); }
  GpuRecording(const GpuRecording&) = delete;
  GpuRecording& operator=(const GpuRecording&) = delete;

  void replay() override { check(cudaGraphLaunch(executable_, stream_), "launch of a graph"); }

 private:
  cudaStream_t stream_;
  cudaGraphExec_t executable_ = nullptr;
};

std::unique_ptr<Recording> GpuDevice::record(const std::function<void()>& work) {
  return std::make_unique<GpuRecording>(stream_, work);
}

/// Two events around the repetitions.
class Timing {
 public:
  explicit Timing(cudaStream_t stream) : stream_(stream) {
    check(cudaEventCreate(&begin_), "an event");
    check(cudaEventCreate(&end_), "an event");
  }
  ~Timing() {
    cudaEventDestroy(begin_);
    cudaEventDestroy(end_);
  }
  Timing(const Timing&) = delete;
  Timing& operator=(const Timing&) = delete;

  double run(const std::function<void()>& work, unsigned repeats) {
    check(cudaStreamSynchronize(stream_), "work before a measurement");
    check(cudaEventRecord(begin_, stream_), "an event");
    for (unsigned i = 0; i < repeats; ++i) work();
    check(cudaEventRecord(end_, stream_), "an event");
    check(cudaEventSynchronize(end_), "a measurement");
    float milliseconds = 0;
    check(cudaEventElapsedTime(&milliseconds, begin_, end_), "time between events");
    return static_cast<double>(milliseconds) / 1e3 / repeats;
  }

 private:
  cudaStream_t stream_;
  cudaEvent_t begin_ = nullptr;
  cudaEvent_t end_ = nullptr;
};

double GpuDevice::time(const std::function<void()>& work, unsigned repeats, Dispatch dispatch) {
  Timing timing(stream_);
  if (dispatch == Dispatch::launches) return timing.run(work, repeats);
  const auto recording = record(work);
  return timing.run([&] { recording->replay(); }, repeats);
}

std::string version(int number) {
  return std::to_string(number / 1000) + "." + std::to_string(number % 1000 / 10);
}

/// What the runtime's error means to the owner of the machine.
GpuSearch not_found(cudaError_t error) {
  (void)cudaGetLastError();
  int driver = 0;
  int runtime = 0;
  (void)cudaDriverGetVersion(&driver);
  (void)cudaRuntimeGetVersion(&runtime);
  if (driver == 0) return {nullptr, "no NVIDIA driver answers on this machine (no libcuda.so.1)"};
  if (driver < runtime && error == cudaErrorInsufficientDriver) {
    return {nullptr,
            "the driver knows CUDA " + version(driver) + " and this program was built with CUDA " + version(runtime) +
                ": install a newer driver, or build with a CUDA toolkit that the driver knows (12.2 is enough)",
            true};
  }
  if (error == cudaErrorNoDevice) return {nullptr, "a driver, but no GPU on this machine"};
  return {nullptr, std::string("the GPU does not answer: ") + cudaGetErrorString(error), true};
}

}  // namespace

GpuSearch search_gpu() {
  int count = 0;
  const cudaError_t error = cudaGetDeviceCount(&count);
  if (error != cudaSuccess || count == 0) return not_found(error == cudaSuccess ? cudaErrorNoDevice : error);
  try {
    const int major = attribute(cudaDevAttrComputeCapabilityMajor);
    if (major < 8) {
      return {nullptr, "the GPU is of compute capability " + std::to_string(major) + "." +
                           std::to_string(attribute(cudaDevAttrComputeCapabilityMinor)) + ", and 8.0 is needed"};
    }
    return {std::make_shared<GpuDevice>(), ""};
  } catch (const std::exception& failure) {
    (void)cudaGetLastError();
    return {nullptr, failure.what(), true};
  }
}

}  // namespace cuda

bool has_cuda() noexcept {
  return true;
}

std::unique_ptr<Backend> find_cuda_backend(const CudaOptions& options) {
  auto device = cuda::search_gpu().device;
  if (device == nullptr) return nullptr;
  device->set_overlap(options.overlap);
  return make_cuda_backend(std::move(device), "cuda", options);
}

}  // namespace kernels
