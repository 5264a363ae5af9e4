// Products of weights in halves, compiled on their own: they are most of what there is to compile.
#include "kernels/cuda/launch.cuh"

namespace kernels::cuda {

PLUMBLINE_MATMUL_KERNELS(, HalfCodec);

}  // namespace kernels::cuda
