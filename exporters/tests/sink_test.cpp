// Batches keep their record boundaries through every cut.
#include "exporters/sink.hpp"

#include <gtest/gtest.h>

namespace exporters {
namespace {

Batch batch_of(std::initializer_list<std::string> records) {
  Batch batch;
  for (const std::string& record : records) {
    batch.bytes += record;
    batch.end_record();
  }
  return batch;
}

TEST(Batch, counts_records_not_lines) {
  const Batch batch = batch_of({"a\n", "b \"x\ny\"\n", "", "c\n"});
  EXPECT_EQ(batch.size(), 3U);
  EXPECT_EQ(batch.ends, (std::vector<std::size_t>{2, 10, 12}));
}

TEST(Batch, slices_join_to_the_whole) {
  const Batch whole = batch_of({"one\n", "two\n", "three\n", "four\n"});
  for (std::size_t cut = 0; cut <= whole.size(); ++cut) {
    Batch joined = whole.slice(0, cut);
    EXPECT_EQ(joined.size(), cut);
    joined.append(whole.slice(cut, whole.size() - cut));
    EXPECT_EQ(joined.bytes, whole.bytes);
    EXPECT_EQ(joined.ends, whole.ends);
  }
  EXPECT_EQ(whole.slice(1, 2).bytes, "two\nthree\n");
  EXPECT_DEATH(whole.slice(3, 2), "size");
}

TEST(SinkAccount, is_settled_when_nothing_is_missing) {
  EXPECT_TRUE((SinkAccount{10, 4, 3, 2, 1, {}}.is_settled()));
  EXPECT_FALSE((SinkAccount{10, 4, 3, 2, 0, {}}.is_settled()));
}

}  // namespace
}  // namespace exporters
