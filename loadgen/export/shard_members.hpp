// The names that shard.json's writer and reader share. Internal to export.
#pragma once

#include <cstdint>
#include <string_view>

#include "loadgen/record/run_totals.hpp"

namespace loadgen {

inline constexpr const char* shard_schema = "plumbline-shard-2";
inline constexpr std::string_view shard_checksum_key = ",\"sha256\":\"";

template <class Owner, class Value>
struct NamedMember {
  std::string_view name;
  Value Owner::*value;
};

inline constexpr NamedMember<EntryTally, std::uint64_t> tally_counters[] = {
    {"started", &EntryTally::started},
    {"output_tokens", &EntryTally::output_tokens},
    {"input_tokens", &EntryTally::input_tokens},
    {"wasted_tokens", &EntryTally::wasted_tokens},
    {"requested_tokens", &EntryTally::requested_tokens},
    {"requested_input_tokens", &EntryTally::requested_input_tokens},
    {"told_input_tokens", &EntryTally::told_input_tokens},
    {"osl_mismatches", &EntryTally::osl_mismatches},
    {"unstreamed", &EntryTally::unstreamed},
    {"streamed", &EntryTally::streamed},
    {"token_events", &EntryTally::token_events},
    {"coalesced_events", &EntryTally::coalesced_events},
    {"index_breaks", &EntryTally::index_breaks},
    {"completed_in_window", &EntryTally::completed_in_window},
    {"output_tokens_in_window", &EntryTally::output_tokens_in_window},
    {"offered_in_window", &EntryTally::offered_in_window},
    {"achieved_in_window", &EntryTally::achieved_in_window},
    {"all_output_tokens", &EntryTally::all_output_tokens},
};

inline constexpr NamedMember<RunFacts, std::int64_t> fact_times[] = {
    {"wall_start_ms", &RunFacts::wall_start_ms},   {"mono_start_ns", &RunFacts::mono_start_ns},
    {"mono_end_ns", &RunFacts::mono_end_ns},       {"start_error_ns", &RunFacts::start_error_ns},
    {"clock_error_ns", &RunFacts::clock_error_ns},
};

}  // namespace loadgen
