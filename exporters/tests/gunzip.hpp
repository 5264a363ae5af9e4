// The other direction of gzip, for tests.
#pragma once

#include <zlib.h>

#include <array>
#include <stdexcept>
#include <string>

namespace exporters {

/// Throws if `bytes` are not one whole gzip stream.
inline std::string gunzipped(const std::string& bytes) {
  z_stream stream{};
  if (inflateInit2(&stream, MAX_WBITS + 16) != Z_OK) throw std::bad_alloc();
  std::string in = bytes, out;
  stream.next_in = reinterpret_cast<Bytef*>(in.data());
  stream.avail_in = static_cast<uInt>(in.size());
  int state = Z_OK;
  while (state == Z_OK) {
    std::array<char, 65'536> chunk;
    stream.next_out = reinterpret_cast<Bytef*>(chunk.data());
    stream.avail_out = chunk.size();
    state = inflate(&stream, Z_NO_FLUSH);
    out.append(chunk.data(), chunk.size() - stream.avail_out);
  }
  inflateEnd(&stream);
  if (state != Z_STREAM_END || stream.avail_in > 0) throw std::runtime_error("not one gzip stream");
  return out;
}

}  // namespace exporters
