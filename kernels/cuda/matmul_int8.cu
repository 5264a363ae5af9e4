// Products of weights in 8-bit codes, compiled on their own: they are most of what there is to compile.
#include "kernels/cuda/launch.cuh"

namespace kernels::cuda {

PLUMBLINE_MATMUL_KERNELS(, Int8Codec);

}  // namespace kernels::cuda
