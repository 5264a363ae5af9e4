#include "loadgen/export/progress.hpp"

#include <sys/ioctl.h>
#include <unistd.h>

#include <cstdlib>
#include <string_view>

#include "loadgen/export/progress_line.hpp"
#include "loadgen/export/terminal_text.hpp"

namespace loadgen {
namespace {

/// Whole write to stderr; a terminal that went away is not worth an error.
void put(std::string_view text) {
  while (!text.empty()) {
    const ssize_t written = ::write(STDERR_FILENO, text.data(), text.size());
    if (written <= 0) return;
    text.remove_prefix(static_cast<std::size_t>(written));
  }
}

std::size_t terminal_columns() {
  winsize size{};
  return ::ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : 80;
}

class QuietView final : public ProgressView {
 public:
  void show(const ProgressSnapshot&) override {}
  void close() override {}
};

class TerminalView final : public ProgressView {
 public:
  ~TerminalView() override { close(); }
  void show(const ProgressSnapshot& snapshot) override {
    // One column less than the terminal has: a full line would wrap on some.
    put("\r\x1b[K" + cut_to_width(render_progress_line(snapshot, ProgressStyle::bar), terminal_columns() - 1));
    open_ = true;
  }
  void close() override {
    if (open_) put("\n");
    open_ = false;
  }

 private:
  bool open_ = false;
};

class PlainView final : public ProgressView {
 public:
  void show(const ProgressSnapshot& snapshot) override {
    if (cadence_.is_due(snapshot)) put(render_progress_line(snapshot, ProgressStyle::plain) + "\n");
  }
  void close() override {}

 private:
  PlainCadence cadence_;
};

}  // namespace

std::unique_ptr<ProgressView> make_progress_view(ProgressKind kind) {
  if (kind == ProgressKind::quiet) return std::make_unique<QuietView>();
  const char* terminal = std::getenv("TERM");
  const bool can_redraw = ::isatty(STDERR_FILENO) == 1 && terminal != nullptr && std::string_view(terminal) != "dumb";
  if (can_redraw) return std::make_unique<TerminalView>();
  return std::make_unique<PlainView>();
}

}  // namespace loadgen
