// Short pieces are merged in a small array that is searched anew for every merge, long ones with a queue.
#include "tokenizer/bpe/bpe.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cassert>
#include <cstring>
#include <functional>

#include "tokenizer/byte_alphabet.hpp"

namespace tokenizer {
namespace {

constexpr std::size_t kShort = 96;  // bytes; measured: longer pieces gain from the queue
constexpr std::uint32_t kNoRank = MergeTable::kNoRank;

/// Merges symbols of any number: a linked list of them, and a queue of merges with the lowest rank first, then the
/// leftmost. Entries that a later merge made obsolete stay in the queue and are recognised by their rank.
class QueuedMerging {
 public:
  QueuedMerging(const MergeTable& merges, const std::vector<std::uint32_t>& ids) : merges_(merges) {
    assert(ids.size() < kEnd);
    symbols_.resize(ids.size());
    for (std::uint32_t i = 0; i < ids.size(); ++i) {
      const bool is_last = i + 1 == ids.size();
      symbols_[i] = {ids[i], is_last ? kNoRank : merges_.rank(ids[i], ids[i + 1]), i - 1, is_last ? kEnd : i + 1};
      if (symbols_[i].rank != kNoRank) queue_.push_back(entry(symbols_[i].rank, i));
    }
    std::make_heap(queue_.begin(), queue_.end(), std::greater<>());
  }

  void run() {
    while (!queue_.empty()) {
      std::pop_heap(queue_.begin(), queue_.end(), std::greater<>());
      const auto rank = static_cast<std::uint32_t>(queue_.back() >> 32U);
      const auto at = static_cast<std::uint32_t>(queue_.back());
      queue_.pop_back();
      if (symbols_[at].rank == rank) merge(at, rank);
    }
  }

  /// Calls f(id, number of its first symbol, number of the symbol after its last).
  template <class F>
  void for_each(F f) const {
    for (std::uint32_t at = 0; at < symbols_.size();) {
      const std::uint32_t next =
          std::min<std::uint32_t>(symbols_[at].next, static_cast<std::uint32_t>(symbols_.size()));
      f(symbols_[at].id, at, next);
      at = next;
    }
  }

 private:
  static constexpr std::uint32_t kEnd = 0xFFFFFFFFU;
  struct Symbol {
    std::uint32_t id;
    std::uint32_t rank;  ///< of its merge with the next symbol
    std::uint32_t previous;
    std::uint32_t next;
  };

  static std::uint64_t entry(std::uint32_t rank, std::uint32_t at) { return (std::uint64_t{rank} << 32U) | at; }

  void merge(std::uint32_t at, std::uint32_t rank) {
    Symbol& left = symbols_[at];
    Symbol& right = symbols_[left.next];
    left.id = merges_.merged(rank);
    left.next = right.next;
    right.rank = kNoRank;
    if (left.next != kEnd) symbols_[left.next].previous = at;
    update(at);
    if (left.previous != kEnd) update(left.previous);
  }
  void update(std::uint32_t at) {
    Symbol& symbol = symbols_[at];
    symbol.rank = symbol.next == kEnd ? kNoRank : merges_.rank(symbol.id, symbols_[symbol.next].id);
    if (symbol.rank == kNoRank) return;
    queue_.push_back(entry(symbol.rank, at));
    std::push_heap(queue_.begin(), queue_.end(), std::greater<>());
  }

  const MergeTable& merges_;
  std::vector<Symbol> symbols_;
  std::vector<std::uint64_t> queue_;
};

std::string quoted(std::string_view text) {
  constexpr std::size_t kShown = 60;
  return fmt::format("\"{}{}\"", text.substr(0, kShown), text.size() > kShown ? "..." : "");
}

}  // namespace

Result<Bpe> Bpe::make(const ModelSettings& model, const StringStore& strings) {
  Bpe bpe;
  if (auto error = bpe.add_entries(model.vocabulary, strings)) return *error;
  if (auto error = bpe.add_merges(model.merges, strings)) return *error;
  if (auto error = bpe.set_bytes(model)) return *error;
  bpe.mark_pieces(model.ignore_merges);
  bpe.find_seams();
  return bpe;
}

std::optional<Error> Bpe::add_entries(const std::vector<VocabularyEntry>& entries, const StringStore& strings) {
  pieces_ = PieceTable(entries.size());
  entry_count_ = entries.size();
  std::string bytes;
  for (const VocabularyEntry& entry : entries) {
    const std::string_view written = strings[entry.written];
    const auto where = [&written] { return fmt::format("model.vocab[{}]", quoted(written)); };
    if (tokens_.has(entry.id)) return Error{fmt::format("{}: {} is another entry's id too", where(), entry.id)};
    bytes.clear();
    const bool is_spelled = append_spelled_bytes(written, bytes);
    tokens_.set(entry.id, is_spelled ? bytes : written, TokenTable::Kind::plain);
    const bool is_new =
        is_spelled && !bytes.empty() ? pieces_.insert(entry.id, tokens_) : foreign_.emplace(written, entry.id).second;
    if (!is_new) return Error{where() + ": stands twice"};
  }
  return std::nullopt;
}

std::optional<Error> Bpe::add_merges(const std::vector<Merge>& merges, const StringStore& strings) {
  merges_ = MergeTable(merges.size());
  for (std::size_t i = 0; i < merges.size(); ++i) {
    const std::string_view left = strings[merges[i].left];
    const std::string_view right = strings[merges[i].right];
    const std::string merged = std::string(left) + std::string(right);
    const auto left_id = find_written(left);
    const auto right_id = find_written(right);
    const auto merged_id = find_written(merged);
    if (!left_id || !right_id || !merged_id) {
      const std::string_view missing = !left_id ? left : !right_id ? right : std::string_view(merged);
      return Error{fmt::format("model.merges[{}]: {} is not in model.vocab", i, quoted(missing))};
    }
    merges_.add(*left_id, *right_id, *merged_id);
  }
  return std::nullopt;
}

std::optional<Error> Bpe::set_bytes(const ModelSettings& model) {
  for (unsigned byte = 0; byte < byte_ids_.size(); ++byte) {
    const char value = static_cast<char>(byte);
    byte_ids_[byte] = pieces_.find({&value, 1}, tokens_).value_or(kNoId);
    has_all_bytes_ = has_all_bytes_ && byte_ids_[byte] != kNoId;
  }
  if (has_all_bytes_ || !model.unk_token) return std::nullopt;
  unk_ = find_written(*model.unk_token);
  fuse_unk_ = model.fuse_unk;
  if (unk_) return std::nullopt;
  return Error{
      fmt::format("model.unk_token: {} is not in model.vocab, which lacks some bytes", quoted(*model.unk_token))};
}

/// Says of each entry whether merging its bytes leads to it. With ignore_merges that does not matter for whole pieces.
void Bpe::mark_pieces(bool ignore_merges) {
  std::vector<std::uint32_t> ids;
  for (std::uint32_t id = 0; id < tokens_.size(); ++id) {
    const std::string_view bytes = tokens_.bytes(id);
    if (bytes.empty()) continue;
    ids.clear();
    merge(bytes, ids, nullptr);
    const bool is_merged = ids.size() == 1 && ids[0] == id;
    if (is_merged) pieces_.mark(id, PieceTable::kMerged | PieceTable::kWhole, tokens_);
    if (ignore_merges) pieces_.mark(id, PieceTable::kWhole, tokens_);
  }
}

/// Before this no place is a seam, as far as merge knows.
void Bpe::find_seams() {
  for (std::uint32_t id = 0; id < tokens_.size(); ++id) seams_.add_token(tokens_.bytes(id));
  seams_.finish();
  has_seams_ = true;
}

std::optional<std::uint32_t> Bpe::find_written(std::string_view written) const {
  std::string bytes;
  if (append_spelled_bytes(written, bytes) && !bytes.empty()) return pieces_.find(bytes, tokens_);
  const auto found = foreign_.find(std::string(written));
  return found == foreign_.end() ? std::nullopt : std::optional(found->second);
}

std::optional<std::uint32_t> Bpe::find(std::string_view bytes) const {
  if (!bytes.empty()) {
    if (const auto id = pieces_.find(bytes, tokens_)) return id;
  }
  const auto found = foreign_.find(std::string(bytes));
  return found == foreign_.end() ? std::nullopt : std::optional(found->second);
}

void Bpe::encode(std::string_view piece, std::vector<std::uint32_t>& ids, std::vector<ByteRange>* ranges) const {
  if (const auto id = pieces_.find_marked(piece, PieceTable::kWhole, tokens_)) {
    ids.push_back(*id);
    if (ranges) ranges->push_back({0, piece.size()});
    return;
  }
  merge(piece, ids, ranges);
}

void Bpe::merge(std::string_view piece, std::vector<std::uint32_t>& ids, std::vector<ByteRange>* ranges) const {
  if (!has_all_bytes_) return merge_with_gaps(piece, ids, ranges);
  const std::size_t first = ids.size();
  std::size_t start = 0;
  for (std::size_t at = 1; has_seams_ && at < piece.size(); ++at) {
    if (!Seams::is_place(piece[at]) || !seams_.is_seam(piece, at)) continue;
    merge_part(piece.substr(start, at - start), ids);
    start = at;
  }
  start == 0 ? merge_unknown(piece, ids) : merge_part(piece.substr(start), ids);
  if (!ranges) return;
  for (std::size_t i = first, at = 0; i < ids.size(); ++i) {
    const std::size_t stop = at + tokens_.bytes(ids[i]).size();
    ranges->push_back({at, stop});
    at = stop;
  }
}

void Bpe::merge_part(std::string_view part, std::vector<std::uint32_t>& ids) const {
  if (const auto id = pieces_.find_marked(part, PieceTable::kMerged, tokens_)) return ids.push_back(*id);
  merge_unknown(part, ids);
}

void Bpe::merge_unknown(std::string_view part, std::vector<std::uint32_t>& ids) const {
  if (part.size() <= kShort) return merge_short(part, ids);
  std::vector<std::uint32_t> bytes(part.size());
  std::transform(part.begin(), part.end(), bytes.begin(), [this](char byte) { return byte_id(byte); });
  QueuedMerging merging(merges_, bytes);
  merging.run();
  merging.for_each([&ids](std::uint32_t id, std::size_t, std::size_t) { ids.push_back(id); });
}

void Bpe::merge_short(std::string_view piece, std::vector<std::uint32_t>& ids) const {
  std::array<std::uint32_t, kShort> symbols;
  std::array<std::uint32_t, kShort> ranks;  // of each symbol's merge with the next
  std::size_t n = piece.size();
  for (std::size_t i = 0; i < n; ++i) symbols[i] = byte_id(piece[i]);
  for (std::size_t i = 0; i + 1 < n; ++i) ranks[i] = merges_.rank(symbols[i], symbols[i + 1]);
  while (n > 1) {
    const auto lowest = std::min_element(ranks.begin(), ranks.begin() + static_cast<std::ptrdiff_t>(n - 1));
    if (*lowest == kNoRank) break;
    const auto at = static_cast<std::size_t>(lowest - ranks.begin());
    symbols[at] = merges_.merged(*lowest);
    --n;
    std::memmove(&symbols[at + 1], &symbols[at + 1] + 1, (n - at - 1) * sizeof symbols[0]);
    std::memmove(&ranks[at], &ranks[at] + 1, (n - at - 1) * sizeof ranks[0]);
    if (at + 1 < n) ranks[at] = merges_.rank(symbols[at], symbols[at + 1]);
    if (at > 0) ranks[at - 1] = merges_.rank(symbols[at - 1], symbols[at]);
  }
  ids.insert(ids.end(), symbols.begin(), symbols.begin() + static_cast<std::ptrdiff_t>(n));
}

/// For vocabularies that lack bytes. As in the library, those become the unknown token, alone or in one with the ones
/// around them (fuse_unk); without such a token they are dropped, and what stands around them may merge.
void Bpe::merge_with_gaps(std::string_view piece, std::vector<std::uint32_t>& ids,
                          std::vector<ByteRange>* ranges) const {
  std::vector<std::uint32_t> symbols;
  std::vector<ByteRange> places;
  bool after_unk = false;
  for (std::size_t at = 0; at < piece.size(); ++at) {
    const std::uint32_t id = byte_id(piece[at]);
    const bool is_unk = id == kNoId;
    if (is_unk && !unk_) continue;
    if (is_unk && after_unk && fuse_unk_) {
      places.back().stop = at + 1;
      continue;
    }
    symbols.push_back(is_unk ? *unk_ : id);
    places.push_back({at, at + 1});
    after_unk = is_unk;
  }
  QueuedMerging merging(merges_, symbols);
  merging.run();
  merging.for_each([&](std::uint32_t id, std::size_t first, std::size_t end) {
    ids.push_back(id);
    if (ranges) ranges->push_back({places[first].start, places[end - 1].stop});
  });
}

}  // namespace tokenizer
