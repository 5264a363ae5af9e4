#include "loadgen/plan/pattern.hpp"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <fmt/format.h>
#include <pcre2.h>

namespace loadgen {
namespace {

constexpr std::size_t longest_pattern = 1000;
constexpr std::uint32_t most_steps = 200'000;  ///< some milliseconds of an I/O thread, no more
constexpr std::uint32_t most_depth = 10'000;
constexpr std::uint32_t most_heap_kib = 4096;

struct FreeMatch {
  void operator()(pcre2_match_data* data) const noexcept { pcre2_match_data_free(data); }
};
struct FreeContext {
  void operator()(pcre2_match_context* context) const noexcept { pcre2_match_context_free(context); }
};

/// What a match works with; one set per thread, made once.
struct Workspace {
  std::unique_ptr<pcre2_match_context, FreeContext> context{pcre2_match_context_create(nullptr)};
  std::unique_ptr<pcre2_match_data, FreeMatch> data{pcre2_match_data_create(1, nullptr)};
  Workspace() {
    if (!context) return;
    pcre2_set_match_limit(context.get(), most_steps);
    pcre2_set_depth_limit(context.get(), most_depth);
    pcre2_set_heap_limit(context.get(), most_heap_kib);
  }
};

}  // namespace

Result<std::shared_ptr<const Pattern>, std::string> Pattern::compile(std::string_view text) {
  using Compiled = Result<std::shared_ptr<const Pattern>, std::string>;
  if (text.size() > longest_pattern)
    return Compiled(boost::system::in_place_error, fmt::format("is longer than {} bytes", longest_pattern));
  const std::shared_ptr<Pattern> pattern(new Pattern);
  pattern->text_ = std::string(text);
  int error = 0;
  PCRE2_SIZE at = 0;
  // No \C: it would cut characters in two. Broken UTF-8 in a text is no error, it just does not match.
  const std::uint32_t options = PCRE2_UTF | PCRE2_MATCH_INVALID_UTF | PCRE2_NEVER_BACKSLASH_C;
  pattern->code_ = pcre2_compile(reinterpret_cast<PCRE2_SPTR>(text.data()), text.size(), options, &error, &at, nullptr);
  if (pattern->code_ != nullptr) return std::shared_ptr<const Pattern>(pattern);
  PCRE2_UCHAR words[200] = {};
  pcre2_get_error_message(error, words, sizeof words);
  return Compiled(boost::system::in_place_error, fmt::format("is not a regular expression: {} (at character {})",
                                                             reinterpret_cast<const char*>(words), at + 1));
}

Pattern::~Pattern() {
  pcre2_code_free(static_cast<pcre2_code*>(code_));
}

Pattern::Found Pattern::find_in(std::string_view text) const noexcept {
  thread_local const Workspace workspace;
  if (!workspace.context || !workspace.data) return Found::gave_up;
  const int found = pcre2_match(static_cast<const pcre2_code*>(code_), reinterpret_cast<PCRE2_SPTR>(text.data()),
                                text.size(), 0, 0, workspace.data.get(), workspace.context.get());
  if (found >= 0) return Found::yes;
  return found == PCRE2_ERROR_NOMATCH ? Found::no : Found::gave_up;
}

}  // namespace loadgen
