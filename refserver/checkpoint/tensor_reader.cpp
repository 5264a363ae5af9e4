// Checks that hold for any tensor; what GPTQ adds is in linear_reader.
#include "refserver/checkpoint/tensor_reader.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <utility>

namespace refserver {
namespace {

constexpr std::string_view kWeightDtypes = "F16, BF16 or F32";

bool dtype_fits(Dtype dtype, std::string_view expected) {
  return expected == kWeightDtypes ? is_weight_dtype(dtype) : name_of(dtype) == expected;
}

}  // namespace

void TensorReader::fail(CheckpointError error) {
  if (!failed()) error_ = std::move(error);
}

void TensorReader::fail(const TensorView& tensor, std::string text) {
  fail({CheckpointErrc::bad_tensor, tensor.file->path(), std::string(tensor.name()), std::move(text)});
}

void TensorReader::warn(const std::string& kind, const std::string& about) {
  Warning& warning = warnings_[kind];
  if (warning.count++ == 0) warning.first = about;
}

const TensorView* TensorReader::find(const std::string& name) {
  if (failed()) return nullptr;
  const TensorView* const tensor = store_->find(name);
  if (tensor != nullptr) used_.insert(tensor->name());
  return tensor;
}

const TensorView* TensorReader::need(const std::string& name, std::string_view dtype,
                                     std::span<const std::uint64_t> shape) {
  const TensorView* const tensor = find(name);
  if (tensor == nullptr) {
    fail({CheckpointErrc::missing_tensor, store_->folder(), name,
          fmt::format("is in none of the {} files; it should be {} [{}]", store_->file_count(), dtype,
                      fmt::join(shape, ", "))});
    return nullptr;
  }
  return check(*tensor, dtype, shape) ? tensor : nullptr;
}

bool TensorReader::check(const TensorView& tensor, std::string_view dtype, std::span<const std::uint64_t> shape) {
  if (failed()) return false;
  if (dtype_fits(tensor.dtype(), dtype) && std::ranges::equal(tensor.shape(), shape)) return true;
  fail(tensor, fmt::format("{} should be {} [{}]", tensor.description(), dtype, fmt::join(shape, ", ")));
  return false;
}

PlainVector TensorReader::vector(const std::string& name, std::size_t size) {
  const TensorView* const tensor = need(name, kWeightDtypes, std::array{std::uint64_t{size}});
  if (tensor == nullptr) return {};
  const PlainVector vector{tensor->dtype(), tensor->bytes, size};
  for (std::size_t i = 0; i < size; ++i) {
    if (!std::isfinite(vector.at(i))) {
      fail(*tensor, fmt::format("[{}] is not finite", i));
      return {};
    }
  }
  return vector;
}

PlainMatrix TensorReader::matrix(const std::string& name, std::size_t rows, std::size_t cols) {
  const TensorView* const tensor = need(name, kWeightDtypes, std::array{std::uint64_t{rows}, std::uint64_t{cols}});
  if (tensor == nullptr) return {};
  return {tensor->dtype(), tensor->bytes, rows, cols};
}

const void* TensorReader::aligned(const TensorView& tensor, std::size_t alignment) {
  const auto bytes = tensor.bytes;
  if (reinterpret_cast<std::uintptr_t>(bytes.data()) % alignment == 0) return bytes.data();
  warn("tensors are not aligned in their file and were copied", std::string(tensor.name()));
  const auto copy = room<std::uint64_t>((bytes.size() + 7) / 8);
  std::memcpy(copy.data(), bytes.data(), bytes.size());
  return copy.data();
}

std::vector<std::string> TensorReader::take_warnings() {
  for (const auto& [name, tensor] : store_->tensors()) {
    // Old files carry the rotary frequencies, which are computed here.
    if (used_.contains(name) || name.ends_with("rotary_emb.inv_freq")) continue;
    auto& warning = warnings_["tensors that this architecture does not have are ignored"];
    // The alphabetically first: the map's own order differs from run to run.
    if (warning.count++ == 0 || name < warning.first) warning.first = std::string(name);
  }
  std::vector<std::string> lines;
  for (const auto& [kind, warning] : warnings_) {
    lines.push_back(warning.count == 1
                        ? fmt::format("{}: {}", printable(warning.first), kind)
                        : fmt::format("{} and {} more: {}", printable(warning.first), warning.count - 1, kind));
  }
  return lines;
}

}  // namespace refserver
