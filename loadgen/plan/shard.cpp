// Launchers nest (a Slurm job may run mpirun, which starts its daemons through Slurm), so the innermost is asked first.
#include "loadgen/plan/shard.hpp"

#include <fmt/format.h>

#include <charconv>
#include <cmath>

#include "loadgen/plan/units.hpp"

namespace loadgen {
namespace {

using ShardResult = Result<Shard, std::string>;

ShardResult refused(std::string message) {
  return {boost::system::in_place_error, std::move(message)};
}

std::optional<std::uint64_t> digits(std::string_view text) {
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (text.empty() || error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

/// Text from outside, fit for one line of a message.
std::string shown(std::string_view text) {
  std::string line(text.substr(0, 40));
  for (char& c : line)
    if (c < ' ' || c > '~') c = '?';
  return line;
}

ShardResult checked(const std::string& index_name, std::string_view index_text, const std::string& count_name,
                    std::string_view count_text, const std::string& source) {
  const auto index = digits(index_text);
  const auto count = digits(count_text);
  const auto fail = [&](const char* why) {
    return refused(fmt::format("{}={} and {}={}: {}; --shard k/N says it directly", index_name, shown(index_text),
                               count_name, shown(count_text), why));
  };
  if (!index || !count) return fail("both must be whole numbers");
  if (*count == 0 || *count > max_shards) return fail("the count must be from 1 to 10000");
  if (*index >= *count) return fail("the index counts from 0 and must be below the count");
  return Shard{static_cast<std::uint32_t>(*index), static_cast<std::uint32_t>(*count), source, {}};
}

ShardResult from_flag(std::string_view text) {
  const std::size_t slash = text.find('/');
  if (slash == std::string_view::npos)
    return refused(fmt::format("must be k/N, such as 0/8 for the first of eight processes; is '{}'", shown(text)));
  const auto index = digits(text.substr(0, slash));
  const auto count = digits(text.substr(slash + 1));
  if (!index || !count || *count == 0 || *count > max_shards || *index >= *count)
    return refused(fmt::format("must be k/N with k from 0 to N-1 and N up to {}; is '{}'", max_shards, shown(text)));
  return Shard{static_cast<std::uint32_t>(*index), static_cast<std::uint32_t>(*count), "--shard", {}};
}

/// A pair of variables that one launcher sets.
struct Pair {
  const char* index;
  const char* count;
  const char* source;
  const char* only_with;  ///< another variable that must be set too; null: none
  const char* attempt;
};
constexpr Pair pairs_inside[] = {
    {"LOADGEN_SHARD_INDEX", "LOADGEN_SHARD_COUNT", "environment", nullptr, nullptr},
    {"OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE", "open-mpi", nullptr, nullptr},
    {"PMI_RANK", "PMI_SIZE", "mpich", nullptr, nullptr},
    // A batch script has a SLURM_PROCID too, always 0: only a step has a number of its own.
    {"SLURM_PROCID", "SLURM_STEP_NUM_TASKS", "slurm-step", "SLURM_STEP_ID", "SLURM_RESTART_COUNT"},
};

class Reader {
 public:
  explicit Reader(const Environment& environment) : environment_(environment) {}
  std::optional<std::string> operator()(const char* name) const {
    const char* const value = name == nullptr ? nullptr : environment_(name);
    return value == nullptr ? std::nullopt : std::optional<std::string>(value);
  }

 private:
  const Environment& environment_;
};

ShardResult with_attempt(ShardResult shard, const std::optional<std::string>& attempt) {
  if (shard && attempt) shard->attempt = shown(*attempt);
  return shard;
}

/// Ids of an array need not begin at 0 nor follow one another: `--array=10-24:2` is eight tasks.
ShardResult from_slurm_array(const Reader& get) {
  const auto id = digits(get("SLURM_ARRAY_TASK_ID").value_or(""));
  const auto first = digits(get("SLURM_ARRAY_TASK_MIN").value_or(""));
  const auto stride = digits(get("SLURM_ARRAY_TASK_STEP").value_or("1"));
  if (!id || !first || !stride || *stride == 0 || *id < *first || (*id - *first) % *stride != 0)
    return refused("SLURM_ARRAY_TASK_ID, _MIN and _STEP do not fit together; give --shard k/N");
  return with_attempt(
      checked("the place of SLURM_ARRAY_TASK_ID", std::to_string((*id - *first) / *stride), "SLURM_ARRAY_TASK_COUNT",
              get("SLURM_ARRAY_TASK_COUNT").value_or("nothing"), "slurm-array"),
      get("SLURM_RESTART_COUNT"));
}

std::optional<ShardResult> from_pair(const Pair& pair, const Reader& get) {
  const auto index = get(pair.index);
  if (!index || (pair.only_with != nullptr && !get(pair.only_with))) return std::nullopt;
  const auto count = get(pair.count);
  if (!count)
    return refused(fmt::format("{}={} is set and {} is not: of how many? Set it, or give --shard k/N", pair.index,
                               shown(*index), pair.count));
  return with_attempt(checked(pair.index, *index, pair.count, *count, pair.source), get(pair.attempt));
}

}  // namespace

ShardResult identify_shard(const std::optional<std::string>& flag, const Environment& environment) {
  if (flag) return from_flag(*flag);
  const Reader get(environment);
  for (const Pair& pair : pairs_inside) {
    const auto found = from_pair(pair, get);
    if (!found) continue;
    const bool two_levels =
        get("SLURM_ARRAY_TASK_ID") && *found && (*found)->source == "slurm-step" && !(*found)->is_alone();
    if (two_levels) return refused("a Slurm array whose elements have several tasks has two numbers; give --shard k/N");
    if (*found && (*found)->source == "slurm-step" && get("SLURM_ARRAY_TASK_ID")) break;
    return *found;
  }
  if (get("SLURM_ARRAY_TASK_ID")) return from_slurm_array(get);
  constexpr Pair kubernetes = {"JOB_COMPLETION_INDEX", "LOADGEN_SHARD_COUNT", "kubernetes", nullptr, nullptr};
  constexpr Pair aws = {"AWS_BATCH_JOB_ARRAY_INDEX", "AWS_BATCH_JOB_ARRAY_SIZE", "aws-batch", nullptr,
                        "AWS_BATCH_JOB_ATTEMPT"};
  for (const Pair& pair : {kubernetes, aws})
    if (const auto found = from_pair(pair, get)) return *found;
  if (get("LOADGEN_SHARD_COUNT").value_or("1") != "1")
    return refused("LOADGEN_SHARD_COUNT is set and LOADGEN_SHARD_INDEX is not: which of them is this?");
  return Shard{};
}

Result<std::int64_t, std::string> parse_start_time(std::string_view text) {
  constexpr std::uint64_t year_2200 = 7'258'118'400;
  const std::size_t dot = text.find('.');
  const auto whole = digits(text.substr(0, dot));
  double fraction = 0;
  bool fits = whole && *whole > 0 && *whole <= year_2200;
  if (dot != std::string_view::npos) {
    const std::string decimals = "0" + std::string(text.substr(dot));
    std::string_view left = decimals;
    const auto value = take_number(left);
    fits = fits && value && left.empty();
    fraction = value.value_or(0);
  }
  if (fits) return static_cast<std::int64_t>(*whole) * 1'000'000'000 + std::llround(fraction * 1e9);
  return {
      boost::system::in_place_error,
      fmt::format("must be seconds since 1970, such as $(( $(date +%s) + 15 )) or 1767225600.5; is '{}'", shown(text))};
}

Result<std::optional<std::int64_t>, std::string> read_start_at(const std::optional<std::string>& flag,
                                                               const Environment& environment) {
  const char* const variable = environment("LOADGEN_START_AT");
  if (!flag && variable == nullptr) return std::optional<std::int64_t>();
  const auto at = parse_start_time(flag ? *flag : variable);
  if (at) return std::optional<std::int64_t>(*at);
  return {boost::system::in_place_error, (flag ? "" : "LOADGEN_START_AT ") + at.error()};
}

}  // namespace loadgen
