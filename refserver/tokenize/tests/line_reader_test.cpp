#include "refserver/tokenize/line_reader.hpp"

#include <gtest/gtest.h>
#include <unistd.h>

#include <array>
#include <thread>
#include <vector>

namespace refserver::tokenize {
namespace {

/// The lines that a reader finds in these bytes, written into a pipe.
std::vector<std::string> lines_of(const std::string& bytes) {
  std::array<int, 2> ends{};
  EXPECT_EQ(::pipe(ends.data()), 0);
  std::thread writer([&] {
    for (std::size_t at = 0; at < bytes.size();) {
      const ssize_t written = ::write(ends[1], bytes.data() + at, std::min<std::size_t>(bytes.size() - at, 1000));
      if (written <= 0) break;
      at += static_cast<std::size_t>(written);
    }
    ::close(ends[1]);
  });
  LineReader reader(ends[0]);
  std::vector<std::string> lines;
  std::string_view line;
  for (auto more = reader.next(line); more && *more; more = reader.next(line)) {
    lines.emplace_back(line);
    EXPECT_EQ(reader.number(), lines.size());
  }
  writer.join();
  ::close(ends[0]);
  return lines;
}

using Lines = std::vector<std::string>;

TEST(LineReader, CutsAtLineEnds) {
  EXPECT_EQ(lines_of(""), Lines());
  EXPECT_EQ(lines_of("a"), Lines({"a"}));
  EXPECT_EQ(lines_of("a\n"), Lines({"a"}));
  EXPECT_EQ(lines_of("a\r\nb\n\nc"), Lines({"a", "b", "", "c"}));
  EXPECT_EQ(lines_of("\n\n"), Lines({"", ""}));
}

TEST(LineReader, PutsLongLinesTogether) {
  const std::string longer(200'000, 'x');
  EXPECT_EQ(lines_of(longer + "\ny\n" + longer), Lines({longer, "y", longer}));
}

TEST(LineReader, ReportsWhatCannotBeRead) {
  LineReader reader(-1);
  std::string_view line;
  const auto more = reader.next(line);
  ASSERT_FALSE(more);
  EXPECT_EQ(more.error().text, "cannot read the input: Bad file descriptor");
}

}  // namespace
}  // namespace refserver::tokenize
