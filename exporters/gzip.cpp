#include "exporters/gzip.hpp"

#include <zlib.h>

#include <algorithm>
#include <cassert>
#include <limits>
#include <new>

namespace exporters {
namespace {

constexpr int gzip_wrapper = 16;  // added to the window bits: a gzip header instead of zlib's

struct Deflater {
  z_stream stream{};
  Deflater() {
    if (deflateInit2(&stream, 1, Z_DEFLATED, MAX_WBITS + gzip_wrapper, 8, Z_DEFAULT_STRATEGY) != Z_OK)
      throw std::bad_alloc();
  }
  ~Deflater() { deflateEnd(&stream); }
  Deflater(const Deflater&) = delete;
  Deflater& operator=(const Deflater&) = delete;
};

}  // namespace

std::string gzipped(std::string_view bytes) {
  constexpr std::size_t longest_step = std::numeric_limits<uInt>::max();
  Deflater deflater;
  z_stream& stream = deflater.stream;
  std::string out(deflateBound(&stream, bytes.size()), '\0');
  std::size_t written = 0;
  int state = Z_OK;
  while (state != Z_STREAM_END) {
    const std::size_t step = std::min(bytes.size(), longest_step);
    const std::size_t room = std::min(out.size() - written, longest_step);
    stream.next_in = const_cast<Bytef*>(reinterpret_cast<const Bytef*>(bytes.data()));  // zlib only reads it
    stream.avail_in = static_cast<uInt>(step);
    stream.next_out = reinterpret_cast<Bytef*>(out.data() + written);
    stream.avail_out = static_cast<uInt>(room);
    state = deflate(&stream, step == bytes.size() ? Z_FINISH : Z_NO_FLUSH);
    assert(state == Z_OK || state == Z_STREAM_END);  // there is room for all of it
    bytes.remove_prefix(step - stream.avail_in);
    written += room - stream.avail_out;
  }
  out.resize(written);
  return out;
}

}  // namespace exporters
