// A sink that is a file: every batch is one write, so that a reader never sees half a record for long and a full disk
// never leaves one. Knows no format.
#pragma once

#include <filesystem>
#include <memory>
#include <string>

#include "exporters/result.hpp"
#include "exporters/sink.hpp"

namespace exporters {

enum class FileMode : std::uint8_t {
  truncate,  ///< the file holds this sink's records only
  append,    ///< what it holds already stays
};

/// Opens or creates `path`. The error names the file and the cause. If a write fails later (disk full), the file is cut
/// back to its last whole record and the rest of that batch counts as dropped; later batches are tried again.
Result<std::unique_ptr<Sink>, std::string> open_file_sink(const std::filesystem::path& path, FileMode mode);

}  // namespace exporters
