// The V2 form against strings that four libraries wrote, against itself, and against damaged input.
#include "exporters/metrics/hdr_codec.hpp"

#include <gtest/gtest.h>
#include <zlib.h>

#include <map>
#include <random>

#include "exporters/base64.hpp"
#include "exporters/error.hpp"

namespace exporters {
namespace {

// Written by the Java library 2.1.11.
constexpr auto vector_1 = "HISTFAAAACx42pNpmSzMwMDAywABzFCaEURcm7yEwf4DVITpND/LagEmpv19jEwAoh4Hgw==";
constexpr auto vector_2 = "HISTFAAAAC942pNpmSzMwMDAxwABTBCK+QWQ4P3hHsFg/wEqwfSY9QZLM+uBHUyfRZkAyEwJ6Q==";
constexpr auto vector_3 =
    "HISTFAAAADx42pNpmSzMwMAgxwABzFCaEURcm7yEwf4DROCwM9Nffqb7nEyz2ZjesjC9Z2F6yMy0nYlpKxgBAHWJDUM=";
constexpr auto vector_empty = "HISTFAAAAB942pNpmSzMwMDAyAABzFAazL82eQmD/QeoCABVgwSI";
constexpr auto vector_lengths = "HISTFAAAACt42pNpmSzMwMAgyAABzFCaEUzKtTTYf4CKMDE0MDY0MDI3NYCBAgCqOwjW";
constexpr auto vector_nine_bytes = "HISTFAAAACl42pNpmSzMwMAgxAABzFCaEURcm7yEwf4DRICzAQoY//0Hg3oA/+0QGg==";
// Written by hdr-histogram-js, the Python library and the C library.
constexpr auto vector_1_js = "HISTFAAAADB4nJNpmSzMwMDAy8DAwMjAwMDMAAEgNsO1yUsY4Hym0/wsqwWYmPb3MTIBAIprBlY=";
constexpr auto vector_empty_python = "HISTFAAAABx4nJNpmSzMgADMUJoRRFybvITB/gNEAABQ2gSH";
constexpr auto vector_1_c = "HISTFAAAACx4nJNpmSzMwMDAywABzFCaEURcm7yEwf4DVIDpND/LagEmpv19jEwAoisHhA==";

std::string from_hex(std::string_view hex) {
  std::string bytes;
  std::string digits;
  for (const char c : hex)
    if (c != ' ') digits += c;
  for (std::size_t i = 0; i + 1 < digits.size(); i += 2)
    bytes += static_cast<char>(std::stoi(digits.substr(i, 2), nullptr, 16));
  return bytes;
}

std::string inflated(std::string_view text) {
  const std::string wrapped = decode_base64(text).value();
  std::string bytes(1 << 20, '\0');
  uLongf size = bytes.size();
  EXPECT_EQ(uncompress(reinterpret_cast<Bytef*>(bytes.data()), &size,
                       reinterpret_cast<const Bytef*>(wrapped.data()) + 8, wrapped.size() - 8),
            Z_OK);
  bytes.resize(size);
  return bytes;
}

/// Wraps an uncompressed form as the log carries it, however wrong it is.
std::string wrapped(const std::string& plain) {
  uLongf size = compressBound(plain.size());
  std::string compressed(size, '\0');
  compress(reinterpret_cast<Bytef*>(compressed.data()), &size, reinterpret_cast<const Bytef*>(plain.data()),
           plain.size());
  compressed.resize(size);
  std::string bytes = from_hex("1c849314");
  for (int shift = 24; shift >= 0; shift -= 8) bytes += static_cast<char>(size >> shift & 0xff);
  std::string text;
  append_base64(text, bytes + compressed);
  return text;
}

/// Header for lowest 1, highest 3.6e9, three digits and a payload given in hexadecimal.
std::string plain(std::string_view payload_hex, std::string_view digits = "00000003",
                  std::string_view highest = "00000000d693a400", std::string_view lowest = "0000000000000001") {
  const std::string payload = from_hex(payload_hex);
  std::string out = from_hex("1c849313");
  for (int shift = 24; shift >= 0; shift -= 8) out += static_cast<char>(payload.size() >> shift & 0xff);
  out += from_hex("00000000") + from_hex(digits) + from_hex(lowest) + from_hex(highest) + from_hex("3ff0000000000000");
  return out + payload;
}

using Slots = std::map<std::size_t, std::uint64_t>;
Slots slots_of(const HdrHistogram& h) {
  Slots slots;
  h.for_each_slot([&](std::size_t slot, auto, auto, std::uint64_t count) { slots[slot] = count; });
  return slots;
}

HdrHistogram histogram_1() {
  HdrHistogram h;
  for (const std::int64_t value : {1, 1000, 1000, 2047, 2048, 1'000'000}) h.record(value);
  return h;
}

HdrHistogram histogram_2() {
  HdrHistogram h({1000, 60'000'000'000, 2});
  h.record(0);
  h.record(999);
  h.record(250'000, 300);
  h.record(1'500'000, 20'000);
  h.record(3'000'000'000);
  return h;
}

HdrHistogram histogram_3() {
  HdrHistogram h;
  for (std::int64_t value = 100'000; value >= 10'000; value -= 10'000) h.record(value);
  return h;
}

TEST(HdrCodec, encodes_what_java_encodes) {
  EXPECT_EQ(encode_hdr(histogram_1()), plain("00 02 cb0f 04 ab10 02 02 bf8e01 02"));
  EXPECT_EQ(encode_hdr(histogram_2()),
            plain("02 02 e305 d804 8305 c0b802 f315 02", "00000002", "0000000df8475800", "00000000000003e8"));
  EXPECT_EQ(encode_hdr(histogram_3()),
            plain("c343 02 fd0f 02 df09 02 9b06 02 ed04 02 ef04 02 e103 02 b702 02 b502 02 b502 02"));
  EXPECT_EQ(encode_hdr(HdrHistogram()), plain("00"));

  HdrHistogram lengths({1, 2'000'000, 3});
  lengths.record(1, 1);
  lengths.record(3, 64);
  lengths.record(4, 8192);
  lengths.record(7, 9'007'199'254'740'993);
  EXPECT_EQ(encode_hdr(lengths), plain("00 02 00 8001 808001 03 8280808080808020", "00000003", "00000000001e8480"));

  HdrHistogram nine_bytes;
  nine_bytes.record(5, std::uint64_t{1} << 55);
  nine_bytes.record(6, (std::uint64_t{1} << 55) - 1);
  EXPECT_EQ(encode_hdr(nine_bytes), plain("09 80 80 80 80 80 80 80 80 01 fe ff ff ff ff ff ff 7f"));
}

TEST(HdrCodec, compresses_to_the_same_content_as_java) {
  for (const auto& [histogram, java] : {std::pair(histogram_1(), vector_1), std::pair(histogram_2(), vector_2),
                                        std::pair(histogram_3(), vector_3), std::pair(HdrHistogram(), vector_empty)}) {
    const std::string text = encode_hdr_base64(histogram);
    EXPECT_EQ(text.substr(0, 5), "HISTF");
    EXPECT_EQ(inflated(text), inflated(java));
  }
}

TEST(HdrCodec, decodes_what_every_library_wrote) {
  for (const auto* text : {vector_1, vector_1_js, vector_1_c}) {
    const auto h = decode_hdr_base64(text);
    ASSERT_TRUE(h) << text;
    EXPECT_EQ(slots_of(*h), slots_of(histogram_1())) << text;
    EXPECT_EQ(h->value_at_quantile(0.9), 1'000'447);
  }
  EXPECT_EQ(slots_of(decode_hdr_base64(vector_2).value()), slots_of(histogram_2()));
  EXPECT_EQ(decode_hdr_base64(vector_2).value().config(), (HdrConfig{1000, 60'000'000'000, 2}));
  for (const auto* text : {vector_empty, vector_empty_python}) EXPECT_EQ(decode_hdr_base64(text).value().count(), 0U);
  EXPECT_EQ(slots_of(decode_hdr_base64(vector_lengths).value()),
            (Slots{{1, 1}, {3, 64}, {4, 8192}, {7, 9'007'199'254'740'993}}));
  EXPECT_EQ(decode_hdr_base64(vector_nine_bytes).value().count(), 72'057'594'037'927'935U);
}

TEST(HdrCodec, decodes_the_statistics_of_vector_3) {
  const HdrHistogram h = decode_hdr_base64(vector_3).value();
  EXPECT_EQ(h.count(), 10U);
  EXPECT_EQ(h.min_value(), 10'000);
  EXPECT_EQ(h.max_value(), 100'031);
  EXPECT_NEAR(h.mean(), 55'008.4, 1e-9);
  EXPECT_NEAR(h.stddev(), 28'723.860267, 1e-6);
  EXPECT_EQ(h.value_at_quantile(0.5), 50'015);
  EXPECT_EQ(h.value_at_quantile(0.9), 90'047);
}

TEST(HdrCodec, round_trips_random_histograms) {
  std::mt19937_64 random(99);
  for (int round = 0; round < 60; ++round) {
    const std::int64_t lowest = std::array<std::int64_t, 3>{1, 1000, 1'000'000}[random() % 3];
    HdrHistogram h({lowest, 3'600'000'000, static_cast<int>(1 + random() % 5)});
    if (round % 10 == 1) h.record(h.config().highest);
    if (round % 10 == 2) h.record(5, std::uint64_t{1} << 62);
    for (auto values = random() % 500; round % 10 > 2 && values > 0; --values)
      h.record(static_cast<std::int64_t>(random() % 3'600'000'000 >> random() % 32),
               1 + (random() >> (10 + random() % 54)));
    const auto back = decode_hdr_base64(encode_hdr_base64(h));
    ASSERT_TRUE(back) << back.error().message();
    ASSERT_EQ(slots_of(*back), slots_of(h));
    ASSERT_EQ(back->config(), h.config());
    ASSERT_EQ(back->mean(), h.mean());
  }
}

Error error_of(const Result<HdrHistogram>& result) {
  EXPECT_FALSE(result.has_value());
  return result ? Error{} : static_cast<Error>(result.error().value());
}

TEST(HdrCodec, names_what_is_wrong) {
  EXPECT_EQ(error_of(decode_hdr_base64("HISTF")), Error::base64_malformed);
  EXPECT_EQ(error_of(decode_hdr_base64("HIST*AAA")), Error::base64_malformed);
  EXPECT_EQ(error_of(decode_hdr_base64("")), Error::hdr_truncated);
  EXPECT_EQ(error_of(decode_hdr_base64("AAAAAAAAAAAAAAAA")), Error::hdr_cookie_unknown);
  EXPECT_EQ(error_of(decode_hdr_base64(std::string(vector_1).substr(0, 40))), Error::hdr_truncated);
  EXPECT_EQ(error_of(decode_hdr_base64(wrapped(plain("00").substr(0, 39)))), Error::hdr_truncated);
  EXPECT_EQ(error_of(decode_hdr_base64(wrapped(plain("00 02").substr(0, 41)))), Error::hdr_truncated);
  EXPECT_EQ(error_of(decode_hdr_base64(wrapped(plain("00") + "x"))), Error::hdr_trailing_bytes);
  EXPECT_EQ(error_of(decode_hdr_base64(wrapped(plain("00", "00000006")))), Error::hdr_shape_invalid);
  EXPECT_EQ(error_of(decode_hdr_base64(wrapped(plain("00", "00000003", "0000000000000001")))),
            Error::hdr_shape_invalid);
  EXPECT_EQ(error_of(decode_hdr_base64(wrapped(plain("00", "00000003", "ffffffffffffffff")))),
            Error::hdr_shape_invalid);
  EXPECT_EQ(error_of(decode_hdr_base64(wrapped(plain("00", "00000005", "7fffffffffffffff")))), Error::hdr_too_large);
  EXPECT_EQ(error_of(decode_hdr_base64(vector_1, {.max_slots = 23'551})), Error::hdr_too_large);
  EXPECT_TRUE(decode_hdr_base64(vector_1, {.max_slots = 23'552}));
}

TEST(HdrCodec, refuses_impossible_payloads) {
  for (const auto* payload : {
           "80",                       // cut in two
           "808080",                   // cut in two
           "ffffffffffffffffff",       // a run of 2^63 zeros
           "83f0ff7f02",               // a run past the last slot
           "fffffffffffffffffe 0202",  // 2^63 - 1 and more: the total overflows
       })
    EXPECT_EQ(error_of(decode_hdr_base64(wrapped(plain(payload)))), Error::hdr_payload_invalid) << payload;
  // 23 552 slots are all there are.
  EXPECT_TRUE(decode_hdr_base64(wrapped(plain("fdef02 02"))));  // 23 551 zeros, then one count
  EXPECT_EQ(error_of(decode_hdr_base64(wrapped(plain("ffef02 02")))), Error::hdr_payload_invalid);
}

TEST(HdrCodec, does_not_inflate_a_bomb) {
  std::string bomb = plain("00");
  bomb.resize(20'000'000, '\0');
  EXPECT_EQ(error_of(decode_hdr_base64(wrapped(bomb))), Error::hdr_trailing_bytes);
  std::string claims = bomb;
  claims.replace(4, 4, from_hex("01312cd8"));  // a payload of 19 999 960 bytes
  EXPECT_EQ(error_of(decode_hdr_base64(wrapped(claims))), Error::hdr_payload_invalid);
}

TEST(HdrCodec, survives_any_damage) {
  std::mt19937_64 random(5);
  const std::string bytes = decode_base64(vector_2).value();
  const std::string contents = inflated(vector_2);
  int refused = 0;
  for (int round = 0; round < 2000; ++round) {
    std::string damaged = bytes;
    for (auto flips = 1 + random() % 3; flips > 0; --flips)
      damaged[random() % damaged.size()] ^= static_cast<char>(1 << random() % 8);
    if (random() % 4 == 0) damaged.resize(random() % damaged.size());
    std::string text;
    append_base64(text, damaged);
    if (!decode_hdr_base64(text)) ++refused;
    // The same damage behind a right checksum.
    std::string inside = contents;
    inside[random() % inside.size()] = static_cast<char>(random());
    if (const auto h = decode_hdr_base64(wrapped(inside))) {
      EXPECT_LE(h->layout().slot_count(), HdrDecodeLimits{}.max_slots);
    }
  }
  EXPECT_GT(refused, 1600);
}

TEST(Error, has_a_label_and_a_message) {
  EXPECT_EQ(label(Error::hdr_truncated), "hdr_truncated");
  const boost::system::error_code code = Error::hdr_cookie_unknown;
  EXPECT_EQ(std::string(code.category().name()), "exporters");
  EXPECT_NE(code.message().find("HISTF"), std::string::npos);
}

}  // namespace
}  // namespace exporters
