// Looks a few times a second: a shared file system tells nobody when something appears.
#include "loadgen/start_file.hpp"

#include <fmt/format.h>

#include <optional>

#include "loadgen/export/stop_signals.hpp"
#include "loadgen/plan/shard.hpp"
#include "loadgen/plan/text_file.hpp"
#include "loadgen/plan/units.hpp"

namespace loadgen {
namespace {

constexpr std::size_t most_bytes = 4096;
constexpr timespec between_looks{0, 50'000'000};

bool is_stopped() {
  const sigset_t set = stop_signals();
  return ::sigtimedwait(&set, nullptr, &between_looks) > 0;
}

std::string without_line_end(std::string text) {
  while (!text.empty() && (text.back() == '\n' || text.back() == '\r')) text.pop_back();
  return text;
}

}  // namespace

Result<std::int64_t, std::string> await_start_file(const std::filesystem::path& path, std::chrono::nanoseconds limit) {
  const auto fail = [&](const std::string& why) {
    return Result<std::int64_t, std::string>(boost::system::in_place_error,
                                             fmt::format("start file {}: {}", path.string(), why));
  };
  const auto give_up = std::chrono::steady_clock::now() + limit;
  std::string before;
  while (std::chrono::steady_clock::now() < give_up) {
    std::error_code error;
    const TextFile file = std::filesystem::exists(path, error) ? read_text_file(path, most_bytes) : TextFile{};
    if (!file.error.empty()) return fail(file.error);
    // A whole line is taken as it is; without its end it may be half of one, unless it stays so.
    const bool is_whole = file.text.ends_with('\n') || (!file.text.empty() && file.text == before);
    if (is_whole) {
      const auto at = parse_start_time(without_line_end(file.text));
      return at ? Result<std::int64_t, std::string>(*at) : fail(at.error());
    }
    before = file.text;
    if (is_stopped()) return fail("stopped before it said when to start");
  }
  return fail(fmt::format("did not say within {} when to start", duration_text(limit)));
}

}  // namespace loadgen
