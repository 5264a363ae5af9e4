#include "loadgen/drive/head_memory.hpp"

namespace loadgen {

std::size_t HeadMemory::find(std::string_view bytes) noexcept {
  constexpr std::size_t digits_limit = 18;  // more may not fit into the number
  if (before_.empty() || !bytes.starts_with(before_)) return 0;
  if (!said_.content_length) return before_.size();
  const std::size_t begin = before_.size();
  std::uint64_t length = 0;
  std::size_t at = begin;
  for (; at < bytes.size() && bytes[at] >= '0' && bytes[at] <= '9'; ++at)
    length = length * 10 + static_cast<std::uint64_t>(bytes[at] - '0');
  if (at == begin || at - begin > digits_limit || !bytes.substr(at).starts_with(after_)) return 0;
  said_.content_length = length;
  return at + after_.size();
}

void HeadMemory::keep(std::string_view head, std::string_view length_digits, const Said& said) {
  if (head.size() > limit_bytes) return;
  const std::size_t begin =
      length_digits.empty() ? head.size() : static_cast<std::size_t>(length_digits.data() - head.data());
  before_.assign(head.substr(0, begin));
  after_.assign(head.substr(begin + length_digits.size()));
  said_ = said;
}

}  // namespace loadgen
