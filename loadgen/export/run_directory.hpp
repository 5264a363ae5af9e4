// The directory a run leaves behind: the names of its files, and how files that are written at the end get there whole.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "loadgen/result.hpp"

namespace loadgen {

namespace run_file {
inline constexpr std::string_view summary = "summary.json";
inline constexpr std::string_view report = "report.html";
inline constexpr std::string_view requests = "requests.jsonl";
inline constexpr std::string_view points = "points.lp";
inline constexpr std::string_view run_hlog = "run.hlog";
inline constexpr std::string_view mix_hlog = "mix.hlog";
inline constexpr std::string_view influx_spill = "influx-spill.lp";
inline constexpr std::string_view shard = "shard.json";
inline constexpr std::string_view shard_part = "shard.part.json";
inline constexpr std::string_view slowest = "slowest.jsonl";
inline constexpr std::string_view all[] = {summary,  report,       requests, points,     run_hlog,
                                           mix_hlog, influx_spill, shard,    shard_part, slowest};
}  // namespace run_file

/// The name of a file of some run in the directory; empty: it holds none.
std::string run_file_in(const std::filesystem::path& dir);

/// Creates a directory that must not exist yet, parents included, so that of several attempts at one shard one wins.
/// False when it is there already; the error names the path.
Result<bool, std::string> claim_directory(const std::filesystem::path& dir);

/// Takes away what was made for a run that did not begin: its files, and the directory if nothing else is in it.
void abandon_run_directory(const std::filesystem::path& dir) noexcept;

/// Creates the directory if it is missing and makes sure that a file can be written there. Refuses one that holds a
/// file of another run: results are never overwritten. The error names the path and what to do.
Result<void, std::string> prepare_run_directory(const std::filesystem::path& dir);

/// Writes a whole file: under a temporary name first, then in place, so that a reader never sees half of it. The error
/// names the file and the cause (disk full, permission).
Result<void, std::string> write_whole_file(const std::filesystem::path& path, std::string_view content);

}  // namespace loadgen
