#include "exporters/datagrams.hpp"

#include <string_view>

namespace exporters {

std::size_t pack_datagrams(const Batch& batch, std::size_t limit, std::deque<Datagram>& queue) {
  std::size_t too_long = 0;
  std::size_t begin = 0;
  bool is_open = false;
  for (const std::size_t end : batch.ends) {
    const std::string_view record(batch.bytes.data() + begin, end - begin);
    begin = end;
    if (record.size() > limit) {
      ++too_long;
      continue;
    }
    if (!is_open || queue.back().bytes.size() + 1 + record.size() > limit) {
      queue.emplace_back();
      is_open = true;
    } else {
      queue.back().bytes += '\n';
    }
    queue.back().bytes += record;
    ++queue.back().records;
  }
  return too_long;
}

}  // namespace exporters
