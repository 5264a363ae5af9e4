// Golden lines, hostile names and values, and every written line read back by an independent parser.
#include "exporters/influx_line.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <limits>
#include <map>
#include <optional>
#include <random>

namespace exporters {
namespace {

constexpr double nan = std::numeric_limits<double>::quiet_NaN();
constexpr double inf = std::numeric_limits<double>::infinity();

TEST(InfluxPoint, golden) {
  std::string out = "before\n";
  InfluxPoint point(out, "llm_request");
  point.tag("run", "r1").tag("entry", "qa zh").tag("model", "a=b,c");
  point.field("ttft", 0.1)
      .field("chunks", 128)
      .field("ok", true)
      .field("id", "say \"hi\" \\o/")
      .field("lateness", -0.0);
  EXPECT_EQ(point.finish(1'700'000'000'000'000'001), PointResult::appended);
  EXPECT_EQ(out,
            "before\n"
            "llm_request,entry=qa\\ zh,model=a\\=b\\,c,run=r1 "
            "ttft=0.1,chunks=128i,ok=true,id=\"say \\\"hi\\\" \\\\o/\",lateness=-0 1700000000000000001\n");
}

std::string line(const std::function<void(InfluxPoint&)>& fill, std::string_view measurement = "m") {
  std::string out;
  InfluxPoint point(out, measurement);
  fill(point);
  return point.finish(1) == PointResult::appended ? out : "";
}

std::string field_text(auto value) {
  const std::string text = line([&](InfluxPoint& p) { p.field("v", value); });
  return text.empty() ? "" : text.substr(4, text.size() - 4 - 3);
}

TEST(InfluxPoint, prints_numbers_that_read_back) {
  EXPECT_EQ(field_text(0.1 + 0.2), "0.30000000000000004");
  EXPECT_EQ(field_text(3.0), "3");
  EXPECT_EQ(field_text(1e300), "1e+300");
  EXPECT_EQ(field_text(-5e-324), "-5e-324");
  EXPECT_EQ(field_text(std::int64_t{INT64_MIN}), "-9223372036854775808i");
  EXPECT_EQ(field_text(std::uint64_t{UINT64_MAX}), "9223372036854775807i");
  EXPECT_EQ(field_text(std::uint32_t{7}), "7i");
  EXPECT_EQ(field_text(false), "false");
  EXPECT_EQ(field_text(std::string("text")), "\"text\"");
}

TEST(InfluxPoint, leaves_out_what_is_no_number) {
  EXPECT_EQ(line([](InfluxPoint& p) { p.field("a", nan).field("b", 1).field("c", inf).field("d", -inf); }),
            "m b=1i 1\n");
  std::string out = "x\n";
  InfluxPoint point(out, "m");
  point.tag("t", "v").field("a", nan).field("b", inf);
  EXPECT_EQ(point.finish(1), PointResult::no_fields);
  EXPECT_EQ(out, "x\n");
}

TEST(InfluxPoint, sorts_tags_and_keeps_the_first_of_a_repeated_key) {
  EXPECT_EQ(line([](InfluxPoint& p) {
              p.tag("z", "1").tag("b", "2").tag("a", "3").tag("b", "4").tag("zz", "5").field("f", 1);
            }),
            "m,a=3,b=2,z=1,zz=5 f=1i 1\n");
}

TEST(InfluxPoint, tags_cannot_break_out_of_their_line) {
  EXPECT_EQ(line([](InfluxPoint& p) { p.tag("t", "a\nevil,x=1 v=1").field("f", 1); }),
            "m,t=a\\nevil\\,x\\=1\\ v\\=1 f=1i 1\n");
  EXPECT_EQ(line([](InfluxPoint& p) { p.tag("t", "\r\t\f\v").tag("u", std::string_view("\0\x7f", 2)).field("f", 1); }),
            "m,t=\\r\\t\\f_,u=__ f=1i 1\n");
  EXPECT_EQ(line([](InfluxPoint& p) { p.tag("t", "C:\\dir\\").tag("u", "\\\\").tag("v", "").field("f", 1); }),
            "m,t=C:\\dir f=1i 1\n");
}

TEST(InfluxPoint, long_tags_are_cut_so_that_the_point_is_taken) {
  const std::string longest(1000, 'x');
  for (const std::string& more : {std::string("x"), std::string(65536, ','), std::string("\xf0\x9f\x98\x80")})
    EXPECT_EQ(line([&](InfluxPoint& p) { p.tag("t", longest + more).field("f", 1); }), "m,t=" + longest + " f=1i 1\n");
  const std::string emoji = std::string(998, 'x') + "\xf0\x9f\x98\x80";
  EXPECT_EQ(line([&](InfluxPoint& p) { p.tag("t", emoji).field("f", 1); }),
            "m,t=" + std::string(998, 'x') + " f=1i 1\n");
  EXPECT_EQ(line([&](InfluxPoint& p) { p.tag("t", std::string(999, 'x') + "\\yy").field("f", 1); }),
            "m,t=" + std::string(999, 'x') + " f=1i 1\n");
  const std::string worst(70'000, ' ');
  const std::string whole = line([&](InfluxPoint& p) {
    for (char key = 'a'; key < static_cast<char>('a' + InfluxPoint::max_tags); ++key)
      p.tag(std::string_view("abcdefghijklmnopqrstuvwxyz").substr(static_cast<std::size_t>(key - 'a'), 1), worst);
    p.field("f", 1);
  });
  EXPECT_LT(whole.size(), 65'535U);
}

TEST(InfluxPoint, refuses_names_that_would_be_misread) {
  for (const std::string& name :
       std::vector<std::string>{"", "#m", "_m", "time", "a\\b", "a\nb", "a\tb", std::string("a\0b", 3)}) {
    std::string out = "kept\n";
    const auto result_of = [&](const std::function<void(InfluxPoint&)>& fill, std::string_view measurement) {
      InfluxPoint point(out, measurement);
      fill(point);
      return point.finish(1);
    };
    EXPECT_EQ(result_of([](InfluxPoint& p) { p.field("f", 1); }, name), PointResult::refused) << name;
    EXPECT_EQ(result_of([&](InfluxPoint& p) { p.tag(name, "x").field("f", 1); }, "m"), PointResult::refused) << name;
    EXPECT_EQ(result_of([&](InfluxPoint& p) { p.field("f", 1).field(name, 1); }, "m"), PointResult::refused) << name;
    EXPECT_EQ(result_of([&](InfluxPoint& p) { p.field("f", 1).field(name, nan); }, "m"), PointResult::refused) << name;
    EXPECT_EQ(out, "kept\n");
  }
  EXPECT_EQ(line([](InfluxPoint& p) { p.tag("a,b=c d", "x").field("e,f=g h", 1); }, "m,n o"),
            "m\\,n\\ o,a\\,b\\=c\\ d=x e\\,f\\=g\\ h=1i 1\n");
}

TEST(InfluxPoint, an_unfinished_point_leaves_nothing) {
  std::string out = "kept\n";
  { InfluxPoint(out, "m").tag("a", "b").field("f", 1); }
  EXPECT_EQ(out, "kept\n");
}

TEST(InfluxPoint, misuse_is_a_bug) {
  std::string out;
  EXPECT_DEATH(InfluxPoint(out, "m").field("f", 1).tag("t", "v"), "has_field_");
}

// ---- an independent reading of the grammar: a separator counts unless the character before it is a backslash

struct Parsed {
  std::string measurement;
  std::map<std::string, std::string> tags;
  std::map<std::string, std::string> fields;  ///< string fields with a leading quote
  std::string time;
};

class LineParser {
 public:
  explicit LineParser(std::string_view text) : text_(text) {}

  std::optional<Parsed> parse() {
    Parsed parsed;
    parsed.measurement = until(", ");
    while (take(',')) {
      const std::string key = until("=");
      if (!take('=') || !parsed.tags.emplace(key, until(", ")).second) return std::nullopt;
    }
    do {
      if (!take(parsed.fields.empty() ? ' ' : ',')) return std::nullopt;
      const std::string key = until("=");
      if (!take('=')) return std::nullopt;
      if (!parsed.fields.emplace(key, take('"') ? quoted() : until(", ")).second) return std::nullopt;
    } while (at_ < text_.size() && text_[at_] == ',');
    if (!take(' ')) return std::nullopt;
    parsed.time = until("\n");
    return take('\n') && at_ == text_.size() ? std::optional(parsed) : std::nullopt;
  }

 private:
  bool take(char c) { return at_ < text_.size() && text_[at_] == c && ++at_ > 0; }

  std::string until(std::string_view ends) {
    std::string out;
    for (; at_ < text_.size(); ++at_) {
      const char c = text_[at_];
      if (c == '\n') break;  // outside quotes a line feed always ends the line
      const bool escaped = !out.empty() && out.back() == '\\';
      if (escaped && (c == ',' || c == '=' || c == ' '))
        out.back() = c;
      else if (ends.find(c) != std::string_view::npos)
        break;
      else
        out += c;
    }
    return out;
  }

  std::string quoted() {
    std::string out = "\"";
    for (; at_ < text_.size() && text_[at_] != '"'; ++at_) {
      if (text_[at_] == '\\' && at_ + 1 < text_.size() && (text_[at_ + 1] == '"' || text_[at_ + 1] == '\\')) ++at_;
      out += text_[at_];
    }
    ++at_;
    return out;
  }

  std::string_view text_;
  std::size_t at_ = 0;
};

std::string expected_tag(const std::string& value) {
  std::string cut = value;
  while (!cut.empty() && cut.back() == '\\') cut.pop_back();
  std::string out;
  for (const char c : cut) {
    if (c == '\n')
      out += "\\n";
    else if (c == '\r')
      out += "\\r";
    else if (c == '\t')
      out += "\\t";
    else if (c == '\0')
      out += "_";
    else
      out += c;
  }
  return out;
}

TEST(InfluxPoint, whatever_is_written_reads_back) {
  std::mt19937 random(2026);
  const std::string alphabet("ab\\\\\", =\n\r\t\0'#_\xc3\xa9i1", 20);
  const auto text = [&](std::size_t longest) {
    std::string out;
    for (auto n = random() % (longest + 1); n > 0; --n) out += alphabet[random() % alphabet.size()];
    return out;
  };
  const auto name = [&] {
    std::string out = "k";
    for (auto n = random() % 5; n > 0; --n) out += std::string(", =ab\"'")[random() % 7];
    return out;
  };
  for (int round = 0; round < 20'000; ++round) {
    Parsed expected{name(), {}, {}, "17"};
    std::string out;
    InfluxPoint point(out, expected.measurement);
    std::vector<std::pair<std::string, std::string>> tags(random() % 4);
    for (auto& [key, value] : tags) {
      key = name();
      value = text(6);
      point.tag(key, value);
      if (!expected_tag(value).empty()) expected.tags.emplace(key, expected_tag(value));
    }
    for (auto n = 1 + random() % 3; n > 0; --n) {
      const std::string key = name() + std::to_string(n);
      const std::string value = text(8);
      point.field(key, value);
      expected.fields[key] = "\"" + value;
    }
    ASSERT_EQ(point.finish(17), PointResult::appended);
    const auto parsed = LineParser(out).parse();
    ASSERT_TRUE(parsed) << out;
    ASSERT_EQ(parsed->measurement, expected.measurement) << out;
    ASSERT_EQ(parsed->tags, expected.tags) << out;
    ASSERT_EQ(parsed->fields, expected.fields) << out;
    ASSERT_EQ(parsed->time, "17");
  }
}

TEST(UniqueClock, never_gives_a_time_twice) {
  UniqueClock clock;
  EXPECT_EQ(clock.next(100), 100);
  EXPECT_EQ(clock.next(100), 101);
  EXPECT_EQ(clock.next(50), 102);
  EXPECT_EQ(clock.next(102), 103);
  EXPECT_EQ(clock.next(1000), 1000);
}

}  // namespace
}  // namespace exporters
