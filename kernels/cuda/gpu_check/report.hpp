// What was measured, what was not and why, and the two files that say so. Written anew after every figure: a run that
// is cut off leaves what it had.
#pragma once

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <cstdio>
#include <fstream>
#include <stdexcept>
#include <string>
#include <vector>

#include "kernels/cuda/device.hpp"
#include "kernels/cuda/gpu_check/goals.hpp"

namespace kernels::gpu_check {

struct Options {
  std::string json = "gpu-check.json";
  std::string markdown = "gpu-check.md";
  double seconds = 180;
  bool probe = false;              ///< names the GPU, measures nothing
  std::vector<std::string> parts;  ///< empty: all
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
  Report(Options options, cuda::DeviceFacts facts) : options_(std::move(options)), facts_(std::move(facts)) {
    write();  // at once: a place that cannot be written is known before minutes are spent
  }

  Goals& goals() { return goals_; }
  void add(std::string what, double value, std::string unit, std::string note = "") {
    say(what, fmt::format("{:>12.3f} {:<8} {}", value, unit, note));
    figures_.push_back({std::move(what), value, std::move(unit), std::move(note)});
    write();
  }
  /// Something that was to be measured and was not.
  void skip(std::string what) {
    say(what, "skipped: no time left");
    skipped_.push_back(std::move(what));
  }
  /// Something that went wrong.
  void fail(std::string what, const std::string& why) {
    say(what, "FAILED: " + why);
    failures_.push_back(what + ": " + why);
    write();
  }
  /// The end: verdicts are final. On the emulator nothing is judged. Gives the exit code.
  int finish() {
    is_finished_ = true;
    write();
    bool is_missed = false;
    for (const Verdict& verdict : verdicts()) {
      say(verdict.goal, fmt::format("{}: {}", words(verdict), verdict.why));
      is_missed = is_missed || verdict.holds == false;
    }
    return !failures_.empty() ? 1 : is_missed ? 2 : 0;
  }

 private:
  static void say(const std::string& what, const std::string& text) {
    fmt::print("{:<72} {}\n", what, text);
    std::fflush(stdout);
  }
  static const char* words(const Verdict& verdict) {
    return !verdict.holds ? "open" : *verdict.holds ? "holds" : "MISSED";
  }
  std::vector<Verdict> verdicts() const {
    std::vector<Verdict> all = goals_.verdicts();
    if (options_.emulator) {
      for (Verdict& verdict : all) verdict = {verdict.goal, std::nullopt, "not judged on the emulator"};
    }
    return all;
  }
  void write() const {
    const auto replace = [](const std::string& file, const auto& write_to) {
      const std::string part = file + ".part";  // who is killed while writing leaves the file before
      std::ofstream to(part);
      write_to(to);
      to.close();
      return to && std::rename(part.c_str(), file.c_str()) == 0;
    };
    if (!replace(options_.json, [&](std::ostream& to) { write_json(to); }) ||
        !replace(options_.markdown, [&](std::ostream& to) { write_markdown(to); })) {
      throw std::runtime_error(
          fmt::format("cannot write {} or {}: name files in a folder that can be written "
                      "(--json, --markdown)",
                      options_.json, options_.markdown));
    }
  }
  void write_json(std::ostream& to) const {
    to << fmt::format(R"({{"device": {}, "capability": {}, "driver": {}, "runtime": {}, "finished": {},)",
                      quoted(facts_.name), quoted(facts_.capability), facts_.driver_version, facts_.runtime_version,
                      is_finished_)
       << fmt::format(R"( "notes": {}, "skipped": {}, "failures": {}, "goals": [)", list(options_.notes),
                      list(skipped_), list(failures_));
    const char* separator = "\n";
    for (const Verdict& one : verdicts()) {
      to << fmt::format(R"({}  {{"goal": {}, "holds": {}, "why": {}}})", separator, quoted(one.goal),
                        one.holds ? fmt::format("{}", *one.holds) : "null", quoted(one.why));
      separator = ",\n";
    }
    to << R"(], "figures": [)";
    separator = "\n";
    for (const Figure& one : figures_) {
      to << fmt::format(R"({}  {{"what": {}, "value": {}, "unit": {}, "note": {}}})", separator, quoted(one.what),
                        one.value, quoted(one.unit), quoted(one.note));
      separator = ",\n";
    }
    to << "\n]}\n";
  }
  void write_markdown(std::ostream& to) const {
    to << fmt::format("# CUDA kernels on {}\n\nCompute capability {}, driver {}, runtime {}.\n\n", facts_.name,
                      facts_.capability, facts_.driver_version, facts_.runtime_version);
    if (!is_finished_) to << "**The run did not come to its end.** What follows is what it had.\n\n";
    for (const std::string& note : options_.notes) to << note << "\n\n";
    to << "| goal | | |\n| --- | --- | --- |\n";
    for (const Verdict& one : verdicts()) to << fmt::format("| {} | {} | {} |\n", one.goal, words(one), one.why);
    to << "\n| what | value | unit | note |\n| --- | ---: | --- | --- |\n";
    for (const Figure& one : figures_) {
      to << fmt::format("| {} | {:.3f} | {} | {} |\n", one.what, one.value, one.unit, one.note);
    }
    for (const std::string& failure : failures_) to << "\nFailed: " << failure << ".\n";
    to << fmt::format("\nSkipped for want of time: {}.\n",
                      skipped_.empty() ? "nothing" : fmt::format("{}", fmt::join(skipped_, "; ")));
  }
  static std::string quoted(const std::string& text) {
    std::string result = "\"";
    for (const char c : text) {
      if (c == '"' || c == '\\') result += '\\';
      result += static_cast<unsigned char>(c) < 0x20 ? ' ' : c;
    }
    return result + '"';
  }
  static std::string list(const std::vector<std::string>& texts) {
    std::vector<std::string> all;
    for (const std::string& text : texts) all.push_back(quoted(text));
    return fmt::format("[{}]", fmt::join(all, ", "));
  }

  Options options_;
  cuda::DeviceFacts facts_;
  Goals goals_;
  std::vector<Figure> figures_;
  std::vector<std::string> skipped_;
  std::vector<std::string> failures_;
  bool is_finished_ = false;
};

}  // namespace kernels::gpu_check
