// A regular expression that an answer is held against (PCRE2). Patterns come from scenario files and texts from
// servers: both are hostile, so every match has a limit on steps and memory.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "loadgen/result.hpp"

namespace loadgen {

class Pattern {
 public:
  enum class Found : std::uint8_t {
    yes,
    no,
    gave_up,  ///< over the limit: nothing can be said
  };

  /// Perl syntax over UTF-8, at most 1000 bytes. The error says what is wrong and where.
  static Result<std::shared_ptr<const Pattern>, std::string> compile(std::string_view text);
  ~Pattern();
  Pattern(const Pattern&) = delete;
  Pattern& operator=(const Pattern&) = delete;

  /// Whether it matches anywhere in `text` (broken UTF-8 matches nothing). Takes some milliseconds at most. Callable
  /// from any thread.
  Found find_in(std::string_view text) const noexcept;
  /// As it was written.
  const std::string& text() const noexcept { return text_; }

 private:
  Pattern() = default;
  std::string text_;
  void* code_ = nullptr;  ///< pcre2_code: its header stays out of ours
};

}  // namespace loadgen
