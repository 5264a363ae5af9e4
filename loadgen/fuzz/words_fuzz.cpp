// libFuzzer target for the words that flags, variables and fields are made of: addresses, durations, draws, gates,
// shards, credentials. Any bytes end in a value or in a reason; a value that can be written is read again as itself.
//
// Not part of the normal build. With clang, from the project root, with the libraries of build/fuzz that shard_fuzz.cpp
// describes:
//   clang++ -std=c++20 -g -O1 -fsanitize=fuzzer,address,undefined -I. loadgen/fuzz/words_fuzz.cpp \
//     build/fuzz/loadgen/libplumbline_loadgen.a build/fuzz/exporters/libplumbline_exporters.a \
//     -lfmt -lyaml-cpp -lpcre2-8 -lcurl -lz -lssl -lcrypto -o words_fuzz
//   ./words_fuzz -max_len=512 -timeout=10 CORPUS loadgen/fuzz/seeds/words
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "exporters/host_port.hpp"
#include "exporters/influx_url.hpp"
#include "loadgen/credentials.hpp"
#include "loadgen/export/grafana_links.hpp"
#include "loadgen/plan/duration_draw.hpp"
#include "loadgen/plan/gate.hpp"
#include "loadgen/plan/length_draw.hpp"
#include "loadgen/plan/network_fields.hpp"
#include "loadgen/plan/observe_fields.hpp"
#include "loadgen/plan/shard.hpp"
#include "loadgen/plan/target.hpp"
#include "loadgen/plan/units.hpp"

namespace {

void require(bool holds) {
  if (!holds) std::abort();
}

/// The value, or null where it was refused with a reason.
template <class Read>
auto accepted(const Read& read) -> decltype(&*read) {
  if (!read) require(!read.error().empty());
  return read ? &*read : nullptr;
}

/// Nothing that could end a line of a request or a word in it.
bool is_one_word(std::string_view text) {
  return text.find_first_of(std::string_view("\r\n \t\0", 5)) == text.npos;
}

void check_target(std::string_view text) {
  const auto read = loadgen::parse_target(text);
  const loadgen::Target* const target = accepted(read);
  if (target == nullptr) return;
  require(is_one_word(target->authority) && is_one_word(target->base_path) && !target->authority.empty());
  const auto again = loadgen::parse_target(target->url);
  require(again && again->authority == target->authority && again->base_path == target->base_path &&
          again->unix_path == target->unix_path && again->is_tls == target->is_tls);
}

void check_addresses(std::string_view text) {
  if (const auto read = exporters::parse_host_port(text); const auto* host = accepted(read)) {
    const auto again = exporters::parse_host_port(host->text());
    require(again && again->host == host->host && again->port == host->port);
  }
  if (const auto read = exporters::parse_influx_url(text); const auto* url = accepted(read)) {
    const auto again = exporters::parse_influx_url(url->text());
    require(again && again->server() == url->server() && again->database == url->database);
  }
  if (const auto read = loadgen::parse_metrics_page(text); const auto* page = accepted(read))
    require(is_one_word(page->path) && page->path.starts_with('/') && page->server.starts_with("http"));
  if (const auto read = loadgen::parse_resolve_rule(text); const auto* rule = accepted(read))
    require(!rule->host.empty() && !rule->address.empty());
  if (const auto read = loadgen::parse_grafana_url(text); const auto* url = accepted(read))
    require(is_one_word(url->base) && !url->base.ends_with('/') && url->base.find('@') == std::string::npos);
}

void check_times(std::string_view text) {
  if (const auto read = loadgen::parse_duration(text); const auto* time = accepted(read)) {
    const auto again = loadgen::parse_duration(loadgen::duration_text(*time));
    require(time->count() >= 0 && again && *again == *time);
  }
  if (const auto read = loadgen::parse_duration_draw(text); const auto* draw = accepted(read)) {
    const auto again = loadgen::parse_duration_draw(loadgen::draw_text(*draw));
    require(again && again->kind == draw->kind && again->mean == draw->mean && again->upper == draw->upper);
    for (const std::uint64_t index : {0U, 1U, 7U}) {
      const auto drawn = loadgen::drawn(*draw, 1, loadgen::Draw{}, index);
      require(drawn.count() >= 0 && drawn <= std::chrono::hours(24));
    }
  }
  if (const auto read = loadgen::parse_start_time(text); const auto* start = accepted(read)) require(*start >= 0);
}

void check_lengths(std::string_view text) {
  if (const auto read = loadgen::parse_length_draw(text); const auto* draw = accepted(read)) {
    const auto again = loadgen::parse_length_draw(loadgen::draw_text(*draw));
    require(again && again->kind == draw->kind && again->mean == draw->mean && again->most == draw->most);
    if (draw->kind == loadgen::LengthDraw::Kind::histogram) return;  // its bins come from the file
    require(loadgen::mean_of(*draw) >= 1 && loadgen::smallest_of(*draw) >= 1);
    for (const std::uint64_t index : {0U, 1U, 7U}) {
      const std::uint32_t drawn = loadgen::drawn(*draw, 1, loadgen::Draw{}, index);
      require(drawn >= 1 && drawn <= draw->most);
    }
  }
  if (const auto read = loadgen::parse_length_histogram(text); const auto* bins = accepted(read)) {
    double share = 0;
    for (const auto& bin : *bins) {
      require(bin.tokens >= 1 && bin.tokens <= loadgen::longest_length && bin.cumulative >= share);
      share = bin.cumulative;
    }
    require(share == 1);
  }
}

void check_others(const std::string& text) {
  (void)accepted(loadgen::parse_gate(text));
  const auto nothing_set = [](const char*) -> const char* { return nullptr; };
  if (const auto read = loadgen::identify_shard(text, nothing_set); const auto* shard = accepted(read))
    require(shard->index < shard->count && shard->count <= loadgen::max_shards);
  if (const auto read = loadgen::parse_credentials(text); const auto* found = accepted(read))
    for (const std::string* word : {&found->user, &found->password, &found->token})
      require(word->find_first_of("\r\n") == std::string::npos);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string text(reinterpret_cast<const char*>(data), size);
  check_target(text);
  check_addresses(text);
  check_times(text);
  check_lengths(text);
  check_others(text);
  return 0;
}
