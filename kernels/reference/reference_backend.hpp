// The oracle every other backend is compared with: the definition, written down once more, slowly.
#pragma once

#include <memory>

#include "kernels/backend.hpp"

namespace kernels {

/// Always available, always exact, one thread. Weights are expanded to float at upload; sums are in double.
std::unique_ptr<Backend> make_reference_backend();

}  // namespace kernels
