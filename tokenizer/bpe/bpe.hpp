// Byte-pair encoding of one piece of text: the one place that decides which bytes become which token.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "tokenizer/bpe/merge_table.hpp"
#include "tokenizer/bpe/piece_table.hpp"
#include "tokenizer/bpe/seams.hpp"
#include "tokenizer/bpe/token_table.hpp"
#include "tokenizer/file/tokenizer_file.hpp"
#include "tokenizer/result.hpp"
#include "tokenizer/unicode/nfc.hpp"

namespace tokenizer {

class Bpe {
 public:
  /// Checks what concerns the vocabulary: ids and entries unique, the parts and results of all merges there.
  static Result<Bpe> make(const ModelSettings& model, const StringStore& strings);

  /// Appends the ids of a piece that is not empty. `ranges`, if given, gets the bytes of the piece that each id stands
  /// for. O(n log n).
  void encode(std::string_view piece, std::vector<std::uint32_t>& ids, std::vector<ByteRange>* ranges = nullptr) const;

  /// The id of an entry as the file writes it, in the byte alphabet.
  std::optional<std::uint32_t> find_written(std::string_view written) const;
  /// The id of an entry by its bytes (by its text, if it is not written in the byte alphabet).
  std::optional<std::uint32_t> find(std::string_view bytes) const;
  const TokenTable& tokens() const { return tokens_; }
  std::size_t entry_count() const { return entry_count_; }

 private:
  static constexpr std::uint32_t kNoId = 0xFFFFFFFFU;

  Bpe() = default;
  std::optional<Error> add_entries(const std::vector<VocabularyEntry>& entries, const StringStore& strings);
  std::optional<Error> add_merges(const std::vector<Merge>& merges, const StringStore& strings);
  std::optional<Error> set_bytes(const ModelSettings& model);
  void mark_pieces(bool ignore_merges);
  void find_seams();
  void merge(std::string_view piece, std::vector<std::uint32_t>& ids, std::vector<ByteRange>* ranges) const;
  void merge_part(std::string_view part, std::vector<std::uint32_t>& ids) const;
  void merge_unknown(std::string_view part, std::vector<std::uint32_t>& ids) const;
  void merge_short(std::string_view piece, std::vector<std::uint32_t>& ids) const;
  void merge_with_gaps(std::string_view piece, std::vector<std::uint32_t>& ids, std::vector<ByteRange>* ranges) const;
  std::uint32_t byte_id(char byte) const { return byte_ids_[static_cast<unsigned char>(byte)]; }

  TokenTable tokens_;
  PieceTable pieces_;
  MergeTable merges_;
  Seams seams_;
  std::unordered_map<std::string, std::uint32_t> foreign_;  ///< entries that are not written in the byte alphabet
  std::array<std::uint32_t, 256> byte_ids_{};               ///< kNoId: the vocabulary lacks the byte
  bool has_all_bytes_ = true;
  bool has_seams_ = false;
  std::optional<std::uint32_t> unk_;
  bool fuse_unk_ = false;
  std::size_t entry_count_ = 0;
};

}  // namespace tokenizer
