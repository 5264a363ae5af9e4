#include "exporters/metrics/hdr_codec.hpp"

#include <zlib.h>

#include <cassert>
#include <limits>

#include "exporters/base64.hpp"
#include "exporters/error.hpp"

namespace exporters {
namespace {

constexpr std::uint32_t plain_cookie = 0x1c849313;
constexpr std::uint32_t compressed_cookie = 0x1c849314;
constexpr std::uint32_t cookie_mask = 0xffffff0f;  // bits 4 to 7 are a word size that V2 does not use
constexpr std::size_t header_bytes = 40;
constexpr std::size_t max_number_bytes = 9;
constexpr std::uint64_t ratio_one = 0x3ff0000000000000;  // the double 1.0

// ---- big-endian integers

void put_big_endian(std::string& out, std::uint64_t value, int bytes) {
  for (int shift = 8 * (bytes - 1); shift >= 0; shift -= 8) out += static_cast<char>(value >> shift & 0xff);
}

/// Reads from the front of a view that the caller knows to be long enough.
std::uint64_t take_big_endian(std::string_view& in, std::size_t bytes) {
  assert(in.size() >= bytes);
  std::uint64_t value = 0;
  for (std::size_t i = 0; i < bytes; ++i) value = value << 8 | static_cast<unsigned char>(in[i]);
  in.remove_prefix(bytes);
  return value;
}

std::int32_t take_int32(std::string_view& in) {
  return static_cast<std::int32_t>(take_big_endian(in, 4));
}
std::int64_t take_int64(std::string_view& in) {
  return static_cast<std::int64_t>(take_big_endian(in, 8));
}
bool is_cookie(std::uint64_t value, std::uint32_t expected) {
  return (value & cookie_mask) == (expected & cookie_mask);
}

// ---- ZigZag LEB128 of 64 bits in at most nine bytes: the ninth carries eight bits

void put_number(std::string& out, std::int64_t value) {
  std::uint64_t rest = static_cast<std::uint64_t>(value) << 1 ^ static_cast<std::uint64_t>(value >> 63);
  for (std::size_t i = 1; i < max_number_bytes && rest > 0x7f; ++i, rest >>= 7)
    out += static_cast<char>((rest & 0x7f) | 0x80);
  out += static_cast<char>(rest);
}

Result<std::int64_t> take_number(std::string_view& in) {
  std::uint64_t value = 0;
  for (std::size_t i = 0; i < in.size() && i < max_number_bytes; ++i) {
    const std::uint64_t byte = static_cast<unsigned char>(in[i]);
    const bool last = i + 1 == max_number_bytes;
    value |= (last ? byte : byte & 0x7f) << (7 * i);
    if (!last && (byte & 0x80) != 0) continue;
    in.remove_prefix(i + 1);
    return static_cast<std::int64_t>(value >> 1) ^ -static_cast<std::int64_t>(value & 1);
  }
  return Error::hdr_payload_invalid;
}

// ---- payload

void put_zeros(std::string& out, std::size_t zeros) {
  if (zeros > 0) put_number(out, zeros == 1 ? 0 : -static_cast<std::int64_t>(zeros));
}

std::string encode_payload(const HdrHistogram& histogram) {
  std::string payload;
  std::size_t next = 0;
  histogram.for_each_slot([&](std::size_t slot, std::int64_t, std::int64_t, std::uint64_t count) {
    assert(count <= static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max()));
    put_zeros(payload, slot - next);
    put_number(payload, static_cast<std::int64_t>(count));
    next = slot + 1;
  });
  if (next == 0) put_zeros(payload, 1);  // readers want at least one slot
  return payload;
}

Result<void> decode_payload(std::string_view payload, HdrHistogram& histogram) {
  const std::uint64_t slots = histogram.layout().slot_count();
  std::uint64_t slot = 0;
  while (!payload.empty()) {
    const auto number = take_number(payload);
    if (!number) return number.error();
    if (*number < 0) {
      const std::uint64_t zeros = std::uint64_t{0} - static_cast<std::uint64_t>(*number);
      if (zeros > slots - slot) return Error::hdr_payload_invalid;
      slot += zeros;
      continue;
    }
    const auto count = static_cast<std::uint64_t>(*number);
    constexpr std::uint64_t max_total = std::numeric_limits<std::int64_t>::max();
    if (slot >= slots || count > max_total - histogram.count()) return Error::hdr_payload_invalid;
    histogram.record_slot(static_cast<std::size_t>(slot), count);
    ++slot;
  }
  return {};
}

// ---- zlib

std::string deflate_all(std::string_view bytes) {
  uLongf size = compressBound(bytes.size());
  std::string out(size, '\0');
  const int result = compress2(reinterpret_cast<Bytef*>(out.data()), &size,
                               reinterpret_cast<const Bytef*>(bytes.data()), bytes.size(), Z_BEST_COMPRESSION);
  assert(result == Z_OK);
  out.resize(size);
  return out;
}

/// Inflates in exactly the portions asked for, so that a small stream cannot make us hold a large one.
class Inflater {
 public:
  explicit Inflater(std::string_view compressed) {
    stream_.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(compressed.data()));  // zlib's type, not written to
    stream_.avail_in = static_cast<uInt>(compressed.size());
    ready_ = inflateInit(&stream_) == Z_OK;
  }
  ~Inflater() {
    if (ready_) inflateEnd(&stream_);
  }
  Inflater(const Inflater&) = delete;
  Inflater& operator=(const Inflater&) = delete;

  Result<std::string> take(std::size_t bytes) {
    std::string out(bytes, '\0');
    const auto missing = inflate_into(out);
    if (!missing) return missing.error();
    if (*missing != 0) return ended_ ? Error::hdr_truncated : Error::hdr_stream_corrupt;
    return out;
  }

  /// Success if the stream ends here with a right checksum.
  Result<void> expect_end() {
    std::string beyond(1, '\0');
    const auto missing = inflate_into(beyond);
    if (!missing) return missing.error();
    if (*missing == 0) return Error::hdr_trailing_bytes;
    if (!ended_) return Error::hdr_stream_corrupt;
    return {};
  }

 private:
  /// How many bytes of `out` could not be filled.
  Result<std::size_t> inflate_into(std::string& out) {
    stream_.next_out = reinterpret_cast<Bytef*>(out.data());
    stream_.avail_out = static_cast<uInt>(out.size());
    while (ready_ && !ended_ && stream_.avail_out > 0) {
      const int result = inflate(&stream_, Z_NO_FLUSH);
      if (result == Z_STREAM_END)
        ended_ = true;
      else if (result == Z_BUF_ERROR)
        break;  // no more input
      else if (result != Z_OK)
        return Error::hdr_stream_corrupt;
    }
    return std::size_t{stream_.avail_out};
  }

  z_stream stream_{};
  bool ready_ = false;
  bool ended_ = false;
};

struct Header {
  HdrConfig config;
  std::size_t payload_bytes = 0;
};

Result<Header> decode_header(std::string_view bytes, const HdrDecodeLimits& limits) {
  if (!is_cookie(take_big_endian(bytes, 4), plain_cookie)) return Error::hdr_cookie_unknown;
  const std::int32_t payload_bytes = take_int32(bytes);
  take_int32(bytes);  // normalizing offset: 0, or 1 from a writer that does not mean it
  Header header;
  header.config.digits = take_int32(bytes);
  header.config.lowest = take_int64(bytes);
  header.config.highest = take_int64(bytes);
  if (!is_valid(header.config)) return Error::hdr_shape_invalid;
  const std::size_t slots = HdrLayout(header.config).slot_count();
  if (slots > limits.max_slots) return Error::hdr_too_large;
  if (payload_bytes < 0) return Error::hdr_payload_invalid;
  header.payload_bytes = static_cast<std::size_t>(payload_bytes);
  if (header.payload_bytes > max_number_bytes * slots) return Error::hdr_payload_invalid;
  return header;
}

Result<HdrHistogram> inflate_histogram(std::string_view compressed, const HdrDecodeLimits& limits) {
  Inflater inflater(compressed);
  const auto head = inflater.take(header_bytes);
  if (!head) return head.error();
  const auto header = decode_header(*head, limits);
  if (!header) return header.error();
  const auto payload = inflater.take(header->payload_bytes);
  if (!payload) return payload.error();
  if (const auto end = inflater.expect_end(); !end) return end.error();
  HdrHistogram histogram(header->config);
  if (const auto counts = decode_payload(*payload, histogram); !counts) return counts.error();
  return histogram;
}

}  // namespace

std::string encode_hdr(const HdrHistogram& histogram) {
  const std::string payload = encode_payload(histogram);
  const HdrConfig& config = histogram.config();
  std::string out;
  out.reserve(header_bytes + payload.size());
  put_big_endian(out, plain_cookie, 4);
  put_big_endian(out, payload.size(), 4);
  put_big_endian(out, 0, 4);  // normalizing offset
  put_big_endian(out, static_cast<std::uint64_t>(config.digits), 4);
  put_big_endian(out, static_cast<std::uint64_t>(config.lowest), 8);
  put_big_endian(out, static_cast<std::uint64_t>(config.highest), 8);
  put_big_endian(out, ratio_one, 8);
  return out += payload;
}

std::string encode_hdr_base64(const HdrHistogram& histogram) {
  const std::string compressed = deflate_all(encode_hdr(histogram));
  std::string wrapped;
  put_big_endian(wrapped, compressed_cookie, 4);
  put_big_endian(wrapped, compressed.size(), 4);
  wrapped += compressed;
  std::string text;
  append_base64(text, wrapped);
  return text;
}

Result<HdrHistogram> decode_hdr_base64(std::string_view text, const HdrDecodeLimits& limits) {
  const auto bytes = decode_base64(text);
  if (!bytes) return bytes.error();
  std::string_view in = *bytes;
  if (in.size() < 8) return Error::hdr_truncated;
  if (!is_cookie(take_big_endian(in, 4), compressed_cookie)) return Error::hdr_cookie_unknown;
  const std::int32_t length = take_int32(in);
  if (length < 0 || static_cast<std::size_t>(length) > in.size()) return Error::hdr_truncated;
  return inflate_histogram(in.substr(0, static_cast<std::size_t>(length)), limits);
}

}  // namespace exporters
