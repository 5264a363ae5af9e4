// Every check of a quantised layer, so that no kernel repeats one.
#include "kernels/gptq_format.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <optional>
#include <vector>

namespace kernels {
namespace {

using Refusal = std::optional<FormatError>;

template <class... Args>
FormatError refuse(Errc code, fmt::format_string<Args...> format, Args&&... args) {
  return FormatError{code, fmt::format(format, std::forward<Args>(args)...)};
}

template <class T>
Refusal check_data(std::string_view layer, std::string_view tensor, const MatrixView<T>& view) {
  // Division, not multiplication: a hostile shape must not wrap around to the right product.
  const bool fits = view.cols == 0 || view.rows == 0
                        ? view.data.empty()
                        : view.data.size() / view.cols == view.rows && view.data.size() % view.cols == 0;
  if (fits) return std::nullopt;
  return refuse(Errc::bad_shape, "{}.{}: shape [{}, {}] does not fit its {} elements", layer, tensor, view.rows,
                view.cols, view.data.size());
}

template <class T>
Refusal check_shape(std::string_view layer, std::string_view tensor, const MatrixView<T>& view, std::size_t rows,
                    std::size_t cols) {
  if (view.rows == rows && view.cols == cols) return std::nullopt;
  return refuse(Errc::bad_shape, "{}.{}: shape [{}, {}] should be [{}, {}]", layer, tensor, view.rows, view.cols, rows,
                cols);
}

Refusal check_shapes(const GptqTensors& t, std::size_t group_size) {
  if (auto bad = check_data(t.name, "qweight", t.qweight)) return bad;
  if (auto bad = check_data(t.name, "qzeros", t.qzeros)) return bad;
  if (auto bad = check_data(t.name, "scales", t.scales)) return bad;
  const std::size_t per_word = codes_per_word(t.bits);
  const std::size_t in = t.qweight.rows * per_word;
  const std::size_t out = t.qweight.cols;
  if (in == 0 || out == 0) {
    return refuse(Errc::bad_shape, "{}.qweight: shape [{}, {}] is empty", t.name, t.qweight.rows, out);
  }
  if (out % per_word != 0) {
    return refuse(Errc::unaligned, "{}.qweight: shape [{}, {}] has {} columns, which is no multiple of {}", t.name,
                  t.qweight.rows, out, out, per_word);
  }
  const std::size_t groups = (in - 1) / group_size + 1;
  if (auto bad = check_shape(t.name, "scales", t.scales, groups, out)) return bad;
  if (auto bad = check_shape(t.name, "qzeros", t.qzeros, groups, out / per_word)) return bad;
  if (!t.g_idx.empty() && t.g_idx.size() != in) {
    return refuse(Errc::bad_shape, "{}.g_idx: shape [{}] should be [{}]", t.name, t.g_idx.size(), in);
  }
  return std::nullopt;
}

Refusal check_groups(const GptqTensors& t, std::size_t group_size) {
  std::vector<std::size_t> rows(t.scales.rows, 0);
  for (std::size_t k = 0; k < t.g_idx.size(); ++k) {
    const std::int32_t group = t.g_idx[k];
    if (group < 0 || static_cast<std::size_t>(group) >= rows.size()) {
      return refuse(Errc::bad_group, "{}.g_idx: row {} is in group {}, and there are {} groups", t.name, k, group,
                    rows.size());
    }
    if (++rows[static_cast<std::size_t>(group)] > group_size) {
      return refuse(Errc::bad_group, "{}.g_idx: group {} has more than {} rows", t.name, group, group_size);
    }
  }
  return std::nullopt;
}

Refusal check_scales(const GptqTensors& t) {
  const auto bad = std::ranges::find_if(t.scales.data, [](half_bits bits) { return (bits & 0x7C00U) == 0x7C00U; });
  if (bad == t.scales.data.end()) return std::nullopt;
  const auto at = static_cast<std::size_t>(bad - t.scales.data.begin());
  return refuse(Errc::scale_not_finite, "{}.scales: [{}, {}] of shape [{}, {}] is not finite", t.name,
                at / t.scales.cols, at % t.scales.cols, t.scales.rows, t.scales.cols);
}

}  // namespace

const char* label(Errc code) noexcept {
  switch (code) {
    case Errc::bad_shape:
      return "bad_shape";
    case Errc::unaligned:
      return "unaligned";
    case Errc::bad_group:
      return "bad_group";
    case Errc::scale_not_finite:
      return "scale_not_finite";
    case Errc::bad_bits:
      return "bad_bits";
  }
  return "unknown";
}

Result<GptqMatrix, FormatError> make_gptq_matrix(const GptqTensors& tensors, std::size_t group_size) {
  if (tensors.bits != 4 && tensors.bits != 8) {
    return refuse(Errc::bad_bits, "{}: codes of {} bits; 4 and 8 can be read", tensors.name, tensors.bits);
  }
  const std::size_t in = tensors.qweight.rows * codes_per_word(tensors.bits);
  const std::size_t size = group_size == 0 ? std::max<std::size_t>(in, 1) : group_size;
  if (auto bad = check_shapes(tensors, size)) return *bad;
  if (auto bad = check_groups(tensors, size)) return *bad;
  if (auto bad = check_scales(tensors)) return *bad;
  return GptqMatrix(tensors, size);
}

}  // namespace kernels
