// Request lines as rows of a table, and what is no request line.
#include "loadgen/export/request_reader.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

namespace loadgen {
namespace {

std::string row_of(const std::string& line) {
  std::string out;
  const auto appended = append_csv_row(out, line);
  return appended ? out : "error: " + appended.error();
}

/// An RFC 4180 reader of its own.
std::vector<std::string> cells_of(const std::string& row) {
  std::vector<std::string> cells(1);
  bool in_quotes = false;
  for (std::size_t i = 0; i + 2 < row.size() + 0 || (i < row.size() && in_quotes); ++i) {
    const char c = row[i];
    if (in_quotes && c == '"' && row[i + 1] == '"') {
      cells.back() += row[++i];
    } else if (c == '"') {
      in_quotes = !in_quotes;
    } else if (c == ',' && !in_quotes) {
      cells.emplace_back();
    } else {
      cells.back() += c;
    }
  }
  return cells;
}

std::string cell(const std::string& row, const std::string& column) {
  const auto names = cells_of(csv_header());
  const auto found = std::find(names.begin(), names.end(), column);
  if (found == names.end()) return "no column " + column;
  return cells_of(row).at(static_cast<std::size_t>(found - names.begin()));
}

TEST(RequestTable, HasOneCellPerColumn) {
  const std::string row = row_of(R"({"index":12,"phase":"measure","outcome":"ok","entry":"a","streamed":true,)"
                                 R"("stamps":{"send_ns":9007199254740993},"metrics":{"ttft":250.000001}})");
  EXPECT_TRUE(csv_header().ends_with("error\r\n"));
  EXPECT_TRUE(row.ends_with("\r\n")) << row;
  EXPECT_EQ(cells_of(row).size(), cells_of(csv_header()).size());
  EXPECT_EQ(cell(row, "index"), "12");
  EXPECT_EQ(cell(row, "streamed"), "true");
  EXPECT_EQ(cell(row, "send_ns"), "9007199254740993") << "stamps keep all their digits";
  EXPECT_EQ(cell(row, "ttft"), "250.000001");
  EXPECT_EQ(cell(row, "tpot"), "");
}

TEST(RequestTable, QuotesWhatWouldEndACell) {
  for (const std::string text :
       {"a,b", "say \\\"hi\\\"", "two\\r\\nlines", "\\\"", ",", "\\\"\\\"", "=cmd", " lead "}) {
    const std::string row = row_of(R"({"entry":")" + text + R"(","error":"last"})");
    std::string plain;
    for (std::size_t i = 0; i < text.size(); ++i) {
      if (text[i] != '\\') {
        plain += text[i];
        continue;
      }
      ++i;
      plain += text[i] == 'r' ? '\r' : text[i] == 'n' ? '\n' : text[i];
    }
    EXPECT_EQ(cell(row, "entry"), plain) << row;
    EXPECT_EQ(cell(row, "error"), "last") << row;
  }
}

TEST(RequestTable, RefusesWhatIsNoRequest) {
  for (const char* line : {"", "5", "[]", "{", "null"}) EXPECT_TRUE(row_of(line).starts_with("error: ")) << line;
  const std::string deep = std::string(500'000, '[') + std::string(500'000, ']');  // its cell would be as deep
  EXPECT_TRUE(row_of(R"({"index":)" + deep + "}").starts_with("error: "));
}

TEST(ReadRequest, SaysWhichMemberIsWrong) {
  const std::string words = R"("entry":"a","scenario":"qa","route":"tgi","target":"http://h","model":"m")";
  const auto error_of = [](const std::string& line) {
    const auto parsed = parse_request_line(line);
    return parsed ? std::string("fine") : parsed.error();
  };
  const std::string good = "{" + words + R"(,"phase":"measure","outcome":"ok")";
  EXPECT_EQ(error_of(good + "}"), "fine");
  EXPECT_EQ(error_of("{" + words + "}"), "phase is missing or no text");
  EXPECT_EQ(error_of("{" + words + R"(,"phase":"later","outcome":"ok"})"), "phase is none of the known words");
  EXPECT_EQ(error_of(good + R"(,"http_status":70000})"), "http_status is no whole number, or too large");
  EXPECT_EQ(error_of(good + R"(,"output_tokens":-1})"), "output_tokens is no whole number, or too large");
  EXPECT_EQ(error_of(good + R"(,"metrics":{"ttft":"1"}})"), "metrics.ttft is no duration in milliseconds");
  EXPECT_EQ(error_of(good + R"(,"metrics":{"ttft":1e300}})"), "metrics.ttft is no duration in milliseconds");
  EXPECT_EQ(error_of(good + R"(,"stamps":5})"), "fine") << "a request without stamps";
  EXPECT_EQ(error_of("x"), "is no line of a requests.jsonl");
}

}  // namespace
}  // namespace loadgen
