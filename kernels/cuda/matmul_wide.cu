// The compiled kernels of products with deep pipelines and with many rows.
#include "kernels/cuda/launch.cuh"

namespace kernels::cuda {

PLUMBLINE_DEEP_AND_WIDE_KERNELS();

}  // namespace kernels::cuda
