// One linear layer out of a store: quantised or plain, whichever the files hold, with its bias. Used by the
// checkpoint's sources only.
#pragma once

#include <optional>
#include <string>

#include "refserver/checkpoint/tensor_reader.hpp"

namespace refserver {

/// What the architecture and the configuration say of a layer.
struct LinearSpec {
  std::string name;
  std::size_t in = 0;
  std::size_t out = 0;
  bool has_bias = false;
  bool is_quantized = false;  ///< expected; the files decide
};

/// Empty after an error, which is then in `reader`. `quant` is null for models that are not quantised.
std::optional<Linear> read_linear(TensorReader& reader, const LinearSpec& spec, const QuantConfig* quant);

}  // namespace refserver
