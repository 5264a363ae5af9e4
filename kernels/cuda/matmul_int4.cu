// Products of weights in 4-bit codes, compiled on their own: they are most of what there is to compile.
#include "kernels/cuda/launch.cuh"

namespace kernels::cuda {

PLUMBLINE_MATMUL_KERNELS(, Int4Codec);

}  // namespace kernels::cuda
