// Where in a JSON text the fields of an answer lie: JSON pointers (RFC 6901) turned into a small tree that a parser can
// follow key by key. Pure values.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace loadgen {

/// What a place in an answer means.
enum class Field : std::uint8_t {
  none,
  text,           ///< text of the answer, in an event the new part of it
  reasoning,      ///< thoughts before it, which are no text of the answer
  finish_reason,  ///< why generation ended
  error,          ///< message of a failure
  error_type,
  input_tokens,
  output_tokens,  ///< so far, or in all
  model,
  end,  ///< says that the stream is over
};

class FieldPaths {
 public:
  using Node = std::uint16_t;
  static constexpr Node nowhere = 0;
  static constexpr Node root = 1;

  /// Adds a place; empty, or what is wrong with `pointer`, which is not empty, has at most 8 steps, and leads neither
  /// to nor through another place.
  std::string add(std::string_view pointer, Field field);

  Field field(Node node) const noexcept { return nodes_[node].field; }
  /// Where `key` of a mapping or item `index` of a list at `node` leads; `nowhere` if to nothing of interest.
  Node child(Node node, std::string_view key) const noexcept;
  Node item(Node node, std::size_t index) const noexcept;
  bool has(Field field) const noexcept;

 private:
  struct Step {
    std::string key;
    Node to = nowhere;
  };
  struct Place {
    Field field = Field::none;
    std::vector<Step> steps;
  };
  std::vector<Place> nodes_ = std::vector<Place>(2);
};

}  // namespace loadgen
