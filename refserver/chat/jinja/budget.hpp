// What one rendering may use. A template comes from a checkpoint and its input from a client: neither is trusted.
#pragma once

#include <cstddef>
#include <cstdint>

namespace refserver::jinja {

struct Limits {
  std::size_t max_template_bytes = 512U << 10U;
  int max_nesting = 200;                            ///< of expressions and of statements, in the template's text
  int max_names = 2000;                             ///< different names in one scope
  int max_depth = 600;                              ///< of the walk over the tree: macros that call themselves end here
  int max_value_depth = 200;                        ///< of lists in lists
  std::uint64_t max_steps = 10'000'000;             ///< tree nodes, items and 64-byte pieces of text handled: under 1 s
  std::uint64_t max_output_bytes = 32U << 20U;      ///< the prompt
  std::uint64_t max_value_bytes = 32U << 20U;       ///< one text or list
  std::uint64_t max_allocated_bytes = 256U << 20U;  ///< all texts and lists made while rendering, kept or not
};

/// Counts against the limits and throws Failure past one of them. One per rendering.
class Budget {
 public:
  explicit Budget(const Limits& limits) : limits_(limits) {}

  const Limits& limits() const { return limits_; }
  void step(std::uint64_t count = 1) {
    steps_ += count;
    if (steps_ > limits_.max_steps) fail_steps();
  }
  /// Before a text or list of that size is made. Counts as steps too.
  void grow(std::uint64_t bytes) {
    if (bytes > limits_.max_value_bytes) fail_value();
    allocate(bytes);
  }
  /// The same for many values together, which may be more than one may be.
  void allocate(std::uint64_t bytes) {
    allocated_ += bytes;
    if (allocated_ > limits_.max_allocated_bytes) fail_allocated();
    step(1 + bytes / 64);
  }
  /// For text looked through without making a new one.
  void scan(std::uint64_t bytes) { step(1 + bytes / 64); }
  /// A product of a size and a count that cannot overflow.
  void grow(std::uint64_t bytes, std::uint64_t count) {
    if (count != 0 && bytes > limits_.max_value_bytes / count) fail_value();
    grow(bytes * count);
  }

  /// One level of recursion for as long as it lives.
  class Level {
   public:
    explicit Level(Budget& budget) : budget_(budget) {
      if (budget_.depth_ >= budget_.limits_.max_depth) fail_depth();
      ++budget_.depth_;
    }
    ~Level() { --budget_.depth_; }
    Level(const Level&) = delete;
    Level& operator=(const Level&) = delete;

   private:
    Budget& budget_;
  };

 private:
  [[noreturn]] static void fail_steps();
  [[noreturn]] static void fail_value();
  [[noreturn]] static void fail_allocated();
  [[noreturn]] static void fail_depth();

  const Limits& limits_;
  std::uint64_t steps_ = 0;
  std::uint64_t allocated_ = 0;
  int depth_ = 0;
};

}  // namespace refserver::jinja
