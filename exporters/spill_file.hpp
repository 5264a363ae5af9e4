// Where undeliverable records end up: a file that is made when the first one comes, so that a run without losses leaves
// none.
#pragma once

#include <filesystem>
#include <memory>
#include <mutex>

#include "exporters/sink.hpp"

namespace exporters {

/// Thread-safe.
class SpillFile {
 public:
  /// An empty path keeps nothing.
  explicit SpillFile(std::filesystem::path path);
  ~SpillFile();

  void write(Batch batch);

  /// In the words of a file sink: `stored` are the records in the file, `dropped` those that are lost.
  SinkAccount account() const;

 private:
  std::filesystem::path path_;
  mutable std::mutex mutex_;
  std::unique_ptr<Sink> file_;
  SinkAccount lost_;  ///< records that came while there was no file
};

}  // namespace exporters
