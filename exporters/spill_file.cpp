#include "exporters/spill_file.hpp"

#include <utility>

#include "exporters/file_sink.hpp"

namespace exporters {

SpillFile::SpillFile(std::filesystem::path path) : path_(std::move(path)) {}
SpillFile::~SpillFile() = default;

void SpillFile::write(Batch batch) {
  const std::scoped_lock lock(mutex_);
  if (file_ == nullptr && !path_.empty()) {
    auto opened = open_file_sink(path_, FileMode::append);
    if (opened)
      file_ = std::move(*opened);
    else if (lost_.first_error.empty())
      lost_.first_error = opened.error();
  }
  if (file_ != nullptr) {
    file_->write(std::move(batch));
  } else {
    lost_.offered += batch.size();
    lost_.dropped += batch.size();
  }
}

SinkAccount SpillFile::account() const {
  const std::scoped_lock lock(mutex_);
  if (file_ == nullptr) return lost_;
  SinkAccount sum = file_->account();
  sum.offered += lost_.offered;
  sum.dropped += lost_.dropped;
  if (sum.first_error.empty()) sum.first_error = lost_.first_error;
  return sum;
}

}  // namespace exporters
