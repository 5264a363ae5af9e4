// What was measured and what was not, on the terminal at once and in a JSON and a Markdown file at the end.
#pragma once

#include <fmt/format.h>

#include <cstdio>
#include <fstream>
#include <stdexcept>
#include <string>
#include <vector>

#include "kernels/cuda/device.hpp"

namespace kernels::gpu_check {

struct Options {
  std::string json = "gpu-check.json";
  std::string markdown = "gpu-check.md";
  double seconds = 300;
  bool probe = false;              ///< names the GPU, measures nothing
  std::vector<std::string> notes;  ///< for the head of both files
  bool emulator = false;           ///< small shapes on the emulator: tests this program, measures nothing
};

/// One line of the result: what was measured, a number, its unit, and the share of a limit where there is one.
struct Figure {
  std::string what;
  double value;
  std::string unit;
  std::string note;
};

class Report {
 public:
  void add(std::string what, double value, std::string unit, std::string note = "") {
    fmt::print("{:<72} {:>12.3f} {:<8} {}\n", what, value, unit, note);
    std::fflush(stdout);
    figures_.push_back({std::move(what), value, std::move(unit), std::move(note)});
  }
  /// Something that was to be measured and was not.
  void skip(std::string what) {
    fmt::print("{:<72} skipped: no time left\n", what);
    std::fflush(stdout);
    skipped_.push_back(std::move(what));
  }
  void write(const Options& options, const cuda::DeviceFacts& facts) const {
    std::ofstream json(options.json);
    json << fmt::format(
                R"({{"device": "{}", "capability": "{}", "driver": {}, "runtime": {}, "notes": {}, "skipped": {},)",
                facts.name, facts.capability, facts.driver_version, facts.runtime_version, json_list(options.notes),
                json_list(skipped_))
         << R"( "figures": [)";
    std::ofstream markdown(options.markdown);
    markdown << fmt::format("# CUDA kernels on {}\n\nCompute capability {}, driver {}, runtime {}.\n\n", facts.name,
                            facts.capability, facts.driver_version, facts.runtime_version)
             << fmt::format("{}\n\n", fmt::join(options.notes, "\n\n"))
             << "| what | value | unit | note |\n| --- | ---: | --- | --- |\n";
    const char* separator = "\n";
    for (const Figure& one : figures_) {
      json << fmt::format(R"({}  {{"what": "{}", "value": {}, "unit": "{}", "note": "{}"}})", separator, one.what,
                          one.value, one.unit, one.note);
      markdown << fmt::format("| {} | {:.3f} | {} | {} |\n", one.what, one.value, one.unit, one.note);
      separator = ",\n";
    }
    json << "\n]}\n";
    markdown << fmt::format("\nSkipped for want of time: {}.\n",
                            skipped_.empty() ? "nothing" : fmt::format("{}", fmt::join(skipped_, "; ")));
    if (!json.flush() || !markdown.flush()) {
      throw std::runtime_error(fmt::format("cannot write {} or {}", options.json, options.markdown));
    }
  }

 private:
  /// None of the texts needs escapes: notes with any are refused.
  static std::string json_list(const std::vector<std::string>& texts) {
    return texts.empty() ? "[]" : fmt::format(R"(["{}"])", fmt::join(texts, R"(", ")"));
  }

  std::vector<Figure> figures_;
  std::vector<std::string> skipped_;
};

}  // namespace kernels::gpu_check
