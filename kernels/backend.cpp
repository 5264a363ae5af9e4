// The one list of backends.
#include "kernels/backend.hpp"

#include "kernels/cpu/cpu_backend.hpp"
#include "kernels/reference/reference_backend.hpp"

namespace kernels {

std::vector<std::unique_ptr<Backend>> available_backends() {
  std::vector<std::unique_ptr<Backend>> all;
  all.push_back(make_cpu_backend(CpuIsa::avx2));
  all.push_back(make_cpu_backend(CpuIsa::portable));
  all.push_back(make_reference_backend());
  std::erase_if(all, [](const auto& backend) { return !backend->available(); });
  return all;
}

}  // namespace kernels
