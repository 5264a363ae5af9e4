// Ids to what they stand for.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace tokenizer {

class TokenTable {
 public:
  enum class Kind : std::uint8_t {
    unknown,  ///< no token has this id
    plain,
    special,  ///< left out of decoded text on request
  };

  /// `id` is below kIdLimit; the table grows to it. A second call for the same id replaces the first.
  void set(std::uint32_t id, std::string_view bytes, Kind kind) {
    if (id >= tokens_.size()) tokens_.resize(id + 1);
    tokens_[id] = {bytes_.size(), static_cast<std::uint32_t>(bytes.size()), kind};
    bytes_.append(bytes);
  }

  std::size_t size() const { return tokens_.size(); }
  Kind kind(std::uint32_t id) const { return id < tokens_.size() ? tokens_[id].kind : Kind::unknown; }
  bool has(std::uint32_t id) const { return kind(id) != Kind::unknown; }
  /// Empty for unknown ids.
  std::string_view bytes(std::uint32_t id) const {
    if (id >= tokens_.size()) return {};
    return {bytes_.data() + tokens_[id].start, tokens_[id].size};
  }

 private:
  struct Token {
    std::size_t start = 0;
    std::uint32_t size = 0;
    Kind kind = Kind::unknown;
  };

  std::vector<Token> tokens_;
  std::string bytes_;
};

}  // namespace tokenizer
