// A whole small file as text, with a limit.
#pragma once

#include <cstddef>
#include <filesystem>
#include <string>

namespace loadgen {

struct TextFile {
  std::string text;
  std::string error;  ///< empty if `text` is the whole file; otherwise the cause, such as "cannot be opened: ..."
};

/// Reads a regular file of at most `max_bytes`. Devices, pipes and folders are refused, so that nothing blocks.
TextFile read_text_file(const std::filesystem::path& path, std::size_t max_bytes);

/// The same for a file that a scenario in `folder` names: it must lie in that folder or below it. The cause also says
/// where there is no such folder, or the file lies elsewhere.
TextFile read_text_beside(const std::filesystem::path& folder, const std::string& file, std::size_t max_bytes);

}  // namespace loadgen
