// Takes the tensors an architecture needs out of a store, checking each. The first thing wrong sticks; from then on
// everything reads as empty, so that callers read straight through and look once. Used by the checkpoint's sources
// only.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_set>
#include <vector>

#include "refserver/checkpoint/checkpoint.hpp"
#include "refserver/checkpoint/tensor_store.hpp"

namespace refserver {

/// Bytes a view could not use where they lie, copied to where it can. Addresses hold while the object moves.
using TensorCopies = std::deque<std::vector<std::uint64_t>>;

class TensorReader {
 public:
  TensorReader(const TensorStore& store, TensorCopies& copies) : store_(&store), copies_(&copies) {}

  bool failed() const noexcept { return error_.has_value(); }
  const std::optional<CheckpointError>& error() const noexcept { return error_; }
  void fail(const TensorView& tensor, std::string text);
  void fail(CheckpointError error);
  /// Kept once per `kind`, with a count of what else it holds for.
  void warn(const std::string& kind, const std::string& about);

  const TensorStore& store() const noexcept { return *store_; }
  bool has(const std::string& name) const { return store_->find(name) != nullptr; }
  /// The tensor, counted as used; nullptr when it is absent or something failed before.
  const TensorView* find(const std::string& name);
  /// The same, and absence is an error that says what it would have been.
  const TensorView* need(const std::string& name, std::string_view dtype, std::span<const std::uint64_t> shape);
  /// Refuses another dtype or shape; false after an error.
  bool check(const TensorView& tensor, std::string_view dtype, std::span<const std::uint64_t> shape);

  /// A norm or a bias of `size` finite numbers.
  PlainVector vector(const std::string& name, std::size_t size);
  /// A weight of F16, BF16 or F32.
  PlainMatrix matrix(const std::string& name, std::size_t rows, std::size_t cols);
  /// The elements of a tensor at an address aligned for T: where they lie, or a copy.
  template <class T>
  std::span<const T> elements(const TensorView& tensor) {
    return {static_cast<const T*>(aligned(tensor, alignof(T))), tensor.bytes.size() / sizeof(T)};
  }
  /// Room for `count` elements that lives as long as the checkpoint.
  template <class T>
  std::span<T> room(std::size_t count) {
    auto& block = copies_->emplace_back((count * sizeof(T) + 7) / 8);
    return {reinterpret_cast<T*>(block.data()), count};
  }

  /// One line per kind of warning, and one on tensors nobody asked for.
  std::vector<std::string> take_warnings();

 private:
  struct Warning {
    std::string first;
    std::size_t count = 0;
  };
  const void* aligned(const TensorView& tensor, std::size_t alignment);

  const TensorStore* store_;
  TensorCopies* copies_;
  std::optional<CheckpointError> error_;
  std::unordered_set<std::string_view> used_;
  std::map<std::string, Warning> warnings_;
};

}  // namespace refserver
