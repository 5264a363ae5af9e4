// What is compressed here is what zlib unpacks.
#include "exporters/gzip.hpp"

#include <gtest/gtest.h>
#include <zlib.h>

#include <random>

#include "exporters/tests/gunzip.hpp"

namespace exporters {
namespace {

TEST(Gzip, unpacks_to_the_same_bytes) {
  std::mt19937 random(7);
  for (const std::size_t size : {0U, 1U, 100U, 65'536U, 3'000'000U}) {
    std::string noise;
    for (std::size_t i = 0; i < size; ++i) noise += static_cast<char>(random());
    EXPECT_EQ(gunzipped(gzipped(noise)), noise) << size;
    const std::string same(size, 'x');
    EXPECT_EQ(gunzipped(gzipped(same)), same) << size;
  }
}

TEST(Gzip, makes_line_protocol_much_smaller) {
  std::string lines;
  for (int i = 0; i < 5000; ++i)
    lines += "llm_request,entry=qa,model=qwen2,run=r ttft=0." + std::to_string(i * 7919 % 10'000) + ",chunks=12i 17" +
             std::to_string(100'000 + i) + "\n";
  EXPECT_LT(gzipped(lines).size() * 4, lines.size());
}

}  // namespace
}  // namespace exporters
