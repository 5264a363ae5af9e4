// Files: what is written, what a full disk loses, what cannot be opened.
#include "exporters/file_sink.hpp"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/resource.h>

#include "exporters/spill_file.hpp"
#include "exporters/tests/must.hpp"
#include "exporters/tests/scratch_dir.hpp"

namespace exporters {
namespace {

Batch lines(int first, int count) {
  Batch batch;
  for (int i = first; i < first + count; ++i) {
    batch.bytes += "line " + std::to_string(i) + "\n";
    batch.end_record();
  }
  return batch;
}

TEST(FileSink, stores_every_record) {
  const ScratchDir dir;
  auto sink = must(open_file_sink(dir / "out.lp", FileMode::truncate));
  EXPECT_NE(sink->describe().find("out.lp"), std::string::npos);
  sink->write(lines(0, 2));
  EXPECT_EQ(read_file(dir / "out.lp"), "line 0\nline 1\n");  // nothing is held back
  sink->write({});
  sink->write(lines(2, 1));
  const SinkAccount account = sink->finish();
  EXPECT_EQ(account.offered, 3U);
  EXPECT_EQ(account.stored, 3U);
  EXPECT_TRUE(account.is_settled());
  EXPECT_TRUE(account.first_error.empty());
  EXPECT_EQ(sink->finish().stored, 3U);
  EXPECT_EQ(read_file(dir / "out.lp"), "line 0\nline 1\nline 2\n");
}

TEST(FileSink, truncates_or_appends_as_told) {
  const ScratchDir dir;
  for (int round = 0; round < 2; ++round) {
    must(open_file_sink(dir / "new", FileMode::truncate))->write(lines(round, 1));
    must(open_file_sink(dir / "old", FileMode::append))->write(lines(round, 1));
  }
  EXPECT_EQ(read_file(dir / "new"), "line 1\n");
  EXPECT_EQ(read_file(dir / "old"), "line 0\nline 1\n");
}

TEST(FileSink, says_why_a_file_cannot_be_opened) {
  const auto sink = open_file_sink("/nonexistent/dir/x.lp", FileMode::truncate);
  ASSERT_FALSE(sink);
  EXPECT_EQ(sink.error(), "cannot open /nonexistent/dir/x.lp for writing: No such file or directory");
}

TEST(FileSink, counts_what_a_full_device_loses) {
  auto sink = must(open_file_sink("/dev/full", FileMode::append));
  sink->write(lines(0, 5));
  const SinkAccount account = sink->finish();
  EXPECT_EQ(account.dropped, 5U);
  EXPECT_EQ(account.stored, 0U);
  EXPECT_TRUE(account.is_settled());
  EXPECT_EQ(account.first_error, "/dev/full: No space left on device");
}

/// Limits the size of files for the life of the object, so that a write stops in the middle of a record.
class FileSizeLimit {
 public:
  explicit FileSizeLimit(rlim_t bytes) : handler_(signal(SIGXFSZ, SIG_IGN)) {
    getrlimit(RLIMIT_FSIZE, &before_);
    const rlimit limit{bytes, before_.rlim_max};
    setrlimit(RLIMIT_FSIZE, &limit);
  }
  ~FileSizeLimit() {
    setrlimit(RLIMIT_FSIZE, &before_);
    signal(SIGXFSZ, handler_);
  }
  FileSizeLimit(const FileSizeLimit&) = delete;
  FileSizeLimit& operator=(const FileSizeLimit&) = delete;

 private:
  sighandler_t handler_;
  rlimit before_{};
};

TEST(FileSink, never_leaves_half_a_record) {
  const ScratchDir dir;
  for (const FileMode mode : {FileMode::truncate, FileMode::append}) {
    const auto path = dir / (mode == FileMode::append ? "appended" : "truncated");
    auto sink = must(open_file_sink(path, mode));
    {
      const FileSizeLimit limit(17);  // two records of seven bytes and a part of the third
      sink->write(lines(0, 5));
      EXPECT_EQ(read_file(path), "line 0\nline 1\n");
    }
    sink->write(lines(5, 1));
    const SinkAccount account = sink->finish();
    EXPECT_EQ(read_file(path), "line 0\nline 1\nline 5\n");
    EXPECT_EQ(account.stored, 3U);
    EXPECT_EQ(account.dropped, 3U);
    EXPECT_TRUE(account.is_settled());
    EXPECT_NE(account.first_error.find("File too large"), std::string::npos);
  }
}

TEST(SpillFile, is_made_when_it_is_needed) {
  const ScratchDir dir;
  SpillFile spill(dir / "spill.lp");
  EXPECT_FALSE(std::filesystem::exists(dir / "spill.lp"));
  EXPECT_EQ(spill.account().offered, 0U);
  spill.write(lines(0, 2));
  EXPECT_EQ(spill.account().stored, 2U);
  EXPECT_EQ(read_file(dir / "spill.lp"), "line 0\nline 1\n");
}

TEST(SpillFile, counts_losses_where_there_is_no_file) {
  SpillFile nowhere("");
  nowhere.write(lines(0, 2));
  EXPECT_EQ(nowhere.account().dropped, 2U);
  SpillFile impossible("/nonexistent/dir/x.lp");
  impossible.write(lines(0, 3));
  EXPECT_EQ(impossible.account().dropped, 3U);
  EXPECT_NE(impossible.account().first_error.find("cannot open"), std::string::npos);
}

}  // namespace
}  // namespace exporters
