// Batches of the right size at the right time, with the clock moved by hand.
#include "exporters/batch_queue.hpp"

#include <gtest/gtest.h>

#include <random>

namespace exporters {
namespace {

using namespace std::chrono_literals;
const BatchQueue::TimePoint start{};

Batch records(std::initializer_list<std::size_t> sizes) {
  Batch batch;
  for (const std::size_t size : sizes) {
    batch.bytes.append(size, 'x');
    batch.end_record();
  }
  return batch;
}

TEST(BatchQueue, joins_small_pushes_until_they_are_old) {
  BatchQueue queue({.max_records = 5, .max_bytes = 1000, .max_age = 1s});
  EXPECT_FALSE(queue.ready_at());
  queue.push(records({10}), start);
  queue.push(records({10, 10}), start + 700ms);
  EXPECT_EQ(queue.ready_at(), start + 1s);
  EXPECT_FALSE(queue.pop_ready(start + 999ms));
  const auto batch = queue.pop_ready(start + 1s);
  ASSERT_TRUE(batch);
  EXPECT_EQ(batch->size(), 3U);
  EXPECT_EQ(queue.bytes(), 0U);
  EXPECT_FALSE(queue.pop());
}

TEST(BatchQueue, is_ready_at_once_when_full) {
  BatchQueue by_records({.max_records = 2, .max_bytes = 1000, .max_age = 1s});
  by_records.push(records({1, 1, 1, 1, 1}), start);
  EXPECT_EQ(by_records.pop_ready(start)->size(), 2U);
  EXPECT_EQ(by_records.pop_ready(start)->size(), 2U);
  EXPECT_FALSE(by_records.pop_ready(start));
  EXPECT_EQ(by_records.pop()->size(), 1U);

  BatchQueue by_bytes({.max_records = 100, .max_bytes = 100, .max_age = 1s});
  by_bytes.push(records({60, 40, 30}), start);
  EXPECT_EQ(by_bytes.pop_ready(start)->bytes.size(), 100U);
  EXPECT_FALSE(by_bytes.pop_ready(start));
  by_bytes.push(records({80}), start);  // does not fit behind the 30
  EXPECT_EQ(by_bytes.pop_ready(start)->bytes.size(), 30U);
}

TEST(BatchQueue, lets_an_oversized_record_through_alone) {
  BatchQueue queue({.max_records = 100, .max_bytes = 10, .max_age = 1s});
  queue.push(records({3, 50, 3}), start);
  EXPECT_EQ(queue.pop()->bytes.size(), 3U);
  EXPECT_EQ(queue.pop()->bytes.size(), 50U);
  EXPECT_EQ(queue.pop()->bytes.size(), 3U);
  EXPECT_FALSE(queue.pop());
}

TEST(BatchQueue, keeps_every_byte_in_order) {
  std::mt19937 random(11);
  for (int round = 0; round < 200; ++round) {
    const BatchLimits limits{.max_records = 1 + random() % 8, .max_bytes = 1 + random() % 60, .max_age = 1s};
    BatchQueue queue(limits);
    Batch all;
    Batch out;
    for (int i = 0; i < 30; ++i) {
      Batch batch;
      for (auto n = random() % 7; n > 0; --n) {
        batch.bytes += std::string(1 + random() % 20, static_cast<char>('a' + random() % 26)) + "\n";
        batch.end_record();
      }
      all.append(batch);
      queue.push(batch, start);
      ASSERT_EQ(queue.bytes(), all.bytes.size() - out.bytes.size());
      if (random() % 3 != 0) continue;
      if (const auto popped = queue.pop()) out.append(*popped);
    }
    while (const auto popped = queue.pop()) {
      ASSERT_LE(popped->size(), limits.max_records);
      ASSERT_TRUE(popped->size() == 1 || popped->bytes.size() <= limits.max_bytes);
      out.append(*popped);
    }
    ASSERT_EQ(out.bytes, all.bytes);
    ASSERT_EQ(out.ends, all.ends);
  }
}

}  // namespace
}  // namespace exporters
