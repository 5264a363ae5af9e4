// The response head that was read last and what it said: a server's next head is nearly always the same but for the
// digits of its length, and need not be taken apart again. One thread's parsers share one. No I/O.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace loadgen {

class HeadMemory {
 public:
  /// What a plain head says: one without anything that only that answer has (its own token counts, where it was moved).
  struct Said {
    int status = 0;
    bool keep_alive = true;
    bool is_chunked = false;
    std::string content_type;                     ///< lower case, without parameters
    std::optional<std::uint64_t> content_length;  ///< of the head last found or kept
  };

  /// How many bytes at the start of `bytes` are the head that is kept, whose `said` is then true of them too; 0: they
  /// begin with another head, or not with a whole one.
  std::size_t find(std::string_view bytes) noexcept;

  /// Keeps a whole head, with the empty line that ends it; `length_digits` is the part of it that `content_length` was
  /// read from (empty: it has none). One that is longer than `limit_bytes` is not worth it.
  void keep(std::string_view head, std::string_view length_digits, const Said& said);

  const Said& said() const noexcept { return said_; }

  static constexpr std::size_t limit_bytes = 2048;

 private:
  std::string before_, after_;  ///< the digits of the length; the whole head where there are none
  Said said_;
};

}  // namespace loadgen
