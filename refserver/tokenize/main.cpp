// The program `tokenize`: opens what the flags name and passes lines through the converter.
#include <fcntl.h>
#include <fmt/format.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <stdexcept>

#include "refserver/tokenize/command_line.hpp"
#include "refserver/tokenize/converter.hpp"
#include "refserver/tokenize/line_reader.hpp"

namespace refserver::tokenize {
namespace {

/// What the person at the keyboard has to change; nothing was read or printed yet.
struct BadSetting : std::runtime_error {
  using std::runtime_error::runtime_error;
};

std::shared_ptr<const tokenizer::Tokenizer> open_tokenizer(const std::filesystem::path& path) {
  auto opened = tokenizer::Tokenizer::from_file(path);
  if (!opened) throw BadSetting(opened.error().text);
  return *opened;
}

std::shared_ptr<const ChatTemplate> open_template(const Settings& settings) {
  const auto open = [&] {
    if (!settings.chat_template.empty()) return ChatTemplate::built_in(settings.chat_template);
    const bool is_folder = std::filesystem::is_directory(settings.tokenizer);
    return ChatTemplate::from_folder(is_folder ? settings.tokenizer : settings.tokenizer.parent_path());
  };
  auto opened = open();
  if (!opened) throw BadSetting(opened.error().text);
  return *opened;
}

int open_input(const std::filesystem::path& path) {
  if (path.empty()) return 0;
  const int descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (descriptor < 0) throw BadSetting(fmt::format("{}: {}", path.string(), std::strerror(errno)));
  return descriptor;
}

ExitCode run(const Settings& settings) {
  const Task task = settings.conversion.task;
  const bool is_chat = task == Task::chat || task == Task::chat_count;
  const Converter converter(settings.conversion, task == Task::chat ? nullptr : open_tokenizer(settings.tokenizer),
                            is_chat ? open_template(settings) : nullptr);
  LineReader lines(open_input(settings.input));
  std::string_view line;
  std::string problem;
  for (;;) {
    const auto more = lines.next(line);
    if (!more) problem = more.error().text;
    if (!more || !*more) break;
    const auto printed = converter.convert(line);
    if (!printed) {
      problem = fmt::format("line {}: {}", lines.number(), printed.error().text);
      break;
    }
    std::fwrite(printed->data(), 1, printed->size(), stdout);
    std::fputc('\n', stdout);
    if (lines.would_wait()) std::fflush(stdout);  // whoever feeds us line by line is waiting for this one
  }
  if (std::fflush(stdout) != 0 || std::ferror(stdout) != 0) problem = "cannot write the results";
  if (!problem.empty()) fmt::print(stderr, "tokenize: {}\n", problem);
  return problem.empty() ? ExitCode::ok : ExitCode::error;
}

}  // namespace
}  // namespace refserver::tokenize

int main(int argc, char** argv) {
  using refserver::ExitCode;
  try {
    const auto command = refserver::tokenize::parse_command_line(argc, argv);
    return static_cast<int>(command.settings ? refserver::tokenize::run(*command.settings) : command.code);
  } catch (const refserver::tokenize::BadSetting& e) {
    fmt::print(stderr, "tokenize: {}\n", e.what());
    return static_cast<int>(ExitCode::bad_usage);
  } catch (const std::exception& e) {
    fmt::print(stderr, "tokenize: {}\n", e.what());
    return static_cast<int>(ExitCode::error);
  }
}
