// The one interface for places that bytes can go to, and the account that each of them gives of what became of them.
// Knows no format: a record is a stretch of bytes that is stored or lost as a whole.
#pragma once

#include <cassert>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace exporters {

/// Rendered records one after the other, with their boundaries: sinks count, split and spill whole records without
/// knowing the format. Append to `bytes`, then call end_record().
struct Batch {
  std::string bytes;
  std::vector<std::size_t> ends;  ///< ascending; the last one is bytes.size() when no record is open

  std::size_t size() const noexcept { return ends.size(); }
  bool empty() const noexcept { return ends.empty(); }

  /// What was appended since the last record is the next one; appending nothing makes none.
  void end_record() {
    if (bytes.size() > (ends.empty() ? 0 : ends.back())) ends.push_back(bytes.size());
  }

  /// Records [first, first + count), within size() (asserted).
  Batch slice(std::size_t first, std::size_t count) const {
    assert(first + count <= size());
    const std::size_t begin = first == 0 ? 0 : ends[first - 1];
    const std::size_t end = count == 0 ? begin : ends[first + count - 1];
    Batch part{bytes.substr(begin, end - begin), {}};
    part.ends.reserve(count);
    for (std::size_t i = first; i < first + count; ++i) part.ends.push_back(ends[i] - begin);
    return part;
  }

  void append(const Batch& other) {
    const std::size_t shift = bytes.size();
    bytes += other.bytes;
    for (const std::size_t end : other.ends) ends.push_back(shift + end);
  }

  void clear() noexcept {
    bytes.clear();
    ends.clear();
  }
};

/// What became of the records. After finish(): offered == stored + rejected + spilled + dropped.
struct SinkAccount {
  std::uint64_t offered = 0;   ///< given to write()
  std::uint64_t stored = 0;    ///< accepted by the receiver, or written to the file
  std::uint64_t rejected = 0;  ///< refused for good by the receiver
  std::uint64_t spilled = 0;   ///< undeliverable, kept in the spill file
  std::uint64_t dropped = 0;   ///< lost
  std::string first_error;     ///< cause of the first record that was not stored; empty if all were

  bool is_settled() const noexcept { return offered == stored + rejected + spilled + dropped; }
};

class Sink {
 public:
  virtual ~Sink() = default;

  /// Where the bytes go, for people; never holds a credential.
  virtual std::string describe() const = 0;

  /// Takes every record; never fails: what cannot be stored shows in the account. Not after finish() (asserted).
  virtual void write(Batch batch) = 0;

  /// The account so far, from any thread; records still under way are in `offered` only.
  virtual SinkAccount account() const = 0;

  /// Delivers or gives up what is left within the sink's own time limit; settles the account. Calling it again is
  /// harmless.
  virtual SinkAccount finish() noexcept = 0;
};

}  // namespace exporters
