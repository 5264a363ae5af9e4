// What headers say of a generation, and what is wrong with them.
#include "refserver/http/request_facts.hpp"

#include <gtest/gtest.h>

#include <map>
#include <utility>
#include <vector>

namespace refserver {
namespace {

using Headers = std::map<std::string, std::string, std::less<>>;

FindHeader in(const Headers& headers) {
  return [&headers](std::string_view name) -> std::optional<std::string_view> {
    const auto found = headers.find(name);
    if (found == headers.end()) return std::nullopt;
    return found->second;
  };
}

TEST(RequestFacts, HoldsWhatHeadersSay) {
  const Headers headers{{"x-request-id", "a\nb"},       {"x-sim-key", "7"},
                        {"x-plumbline-tenant", "blue"}, {"x-plumbline-chunking", "tokens=3"},
                        {"x-plumbline-priority", "2"},  {"x-plumbline-truth", "1"}};
  RequestFacts facts;
  ASSERT_TRUE(read_headers(in(headers), Dialect::extended, facts));
  EXPECT_EQ(facts.client_id, "a?b");
  EXPECT_EQ(facts.draw_key, "7");
  EXPECT_EQ(facts.standing.tenant, "blue");
  EXPECT_EQ(facts.standing.priority, 2);
  EXPECT_TRUE(facts.chunking.has_value());
  EXPECT_TRUE(facts.wants_truth);
}

TEST(RequestFacts, HasDefaultsWithoutHeaders) {
  RequestFacts facts;
  ASSERT_TRUE(read_headers(in({}), Dialect::extended, facts));
  EXPECT_FALSE(facts.client_id.has_value());
  EXPECT_EQ(facts.draw_key, "");
  EXPECT_FALSE(facts.chunking.has_value());
  EXPECT_FALSE(facts.wants_truth);
}

TEST(RequestFacts, NamesTheHeaderThatIsWrong) {
  using Pair = std::pair<std::string, std::string>;
  for (const auto& [name, value] : std::vector<Pair>{{"x-plumbline-priority", "256"},
                                                     {"x-plumbline-priority", "2 "},
                                                     {"x-plumbline-priority", ""},
                                                     {"x-plumbline-chunking", "tokens=none"}}) {
    const Headers headers{{name, value}};
    RequestFacts facts;
    const auto read = read_headers(in(headers), Dialect::extended, facts);
    ASSERT_FALSE(read) << name << ": " << value;
    EXPECT_EQ(read.error().type, ErrorType::validation);
    EXPECT_EQ(read.error().text.rfind(name, 0), 0U) << read.error().text;
  }
}

TEST(RequestFacts, KnowsNoHeaderOfOursInTheStrictDialect) {
  const Headers headers{{"x-request-id", "id"}, {"x-plumbline-priority", "no number"}, {"x-plumbline-truth", "1"}};
  RequestFacts facts;
  ASSERT_TRUE(read_headers(in(headers), Dialect::strict_tgi, facts));
  EXPECT_EQ(facts.client_id, "id");
  EXPECT_FALSE(facts.wants_truth);
}

}  // namespace
}  // namespace refserver
