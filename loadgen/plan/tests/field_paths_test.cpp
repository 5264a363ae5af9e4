// JSON pointers to places, and what is refused.
#include "loadgen/plan/field_paths.hpp"

#include <gtest/gtest.h>

namespace loadgen {
namespace {

TEST(FieldPaths, LeadsThroughKeysAndItems) {
  FieldPaths paths;
  ASSERT_EQ(paths.add("/choices/0/text", Field::text), "");
  ASSERT_EQ(paths.add("/choices/0/why", Field::finish_reason), "");
  ASSERT_EQ(paths.add("/a~1b/c~0", Field::error), "");
  const auto choices = paths.child(FieldPaths::root, "choices");
  EXPECT_EQ(paths.field(paths.child(paths.item(choices, 0), "text")), Field::text);
  EXPECT_EQ(paths.field(paths.child(paths.item(choices, 0), "why")), Field::finish_reason);
  EXPECT_EQ(paths.item(choices, 1), FieldPaths::nowhere);
  EXPECT_EQ(paths.field(paths.child(paths.child(FieldPaths::root, "a/b"), "c~")), Field::error);
  EXPECT_EQ(paths.child(FieldPaths::nowhere, "choices"), FieldPaths::nowhere);
  EXPECT_TRUE(paths.has(Field::text));
  EXPECT_FALSE(paths.has(Field::end));
}

TEST(FieldPaths, RefusesWhatIsNoPlaceOfItsOwn) {
  FieldPaths paths;
  ASSERT_EQ(paths.add("/a/b", Field::text), "");
  EXPECT_NE(paths.add("", Field::error), "");
  EXPECT_NE(paths.add("a", Field::error), "");
  EXPECT_NE(paths.add("/x~2", Field::error), "");
  EXPECT_NE(paths.add("/a/b", Field::error), "");
  EXPECT_NE(paths.add("/a", Field::error), "");
  EXPECT_NE(paths.add("/a/b/c", Field::error), "");
  EXPECT_NE(paths.add("/1/2/3/4/5/6/7/8/9", Field::error), "");
  EXPECT_FALSE(paths.has(Field::error));
}

}  // namespace
}  // namespace loadgen
