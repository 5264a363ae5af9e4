// A child process and a pipe.
#include "loadgen/local_server.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <system_error>
#include <thread>
#include <utility>

namespace loadgen {
namespace {

constexpr int start_limit_ms = 20'000;
constexpr int stop_limit_ms = 10'000;
constexpr std::string_view greeting = "listening on ";

Result<LocalServer, std::string> failed(const std::filesystem::path& program, const std::string& why) {
  return {boost::system::in_place_error, fmt::format("{} did not start: {}", program.string(), why)};
}

/// SIGINT and SIGTERM are blocked in a run; a child must hear them.
pid_t spawn(const std::filesystem::path& program, const std::vector<std::string>& arguments, int output, int& error) {
  std::vector<char*> argv;
  std::string name = program.string();
  std::string serve = "serve";
  std::vector<std::string> copies = arguments;
  argv.push_back(name.data());
  argv.push_back(serve.data());
  for (std::string& argument : copies) argv.push_back(argument.data());
  argv.push_back(nullptr);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, output, STDOUT_FILENO);
  posix_spawnattr_t attributes;
  posix_spawnattr_init(&attributes);
  sigset_t none;
  sigemptyset(&none);
  posix_spawnattr_setsigmask(&attributes, &none);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK);
  pid_t pid = -1;
  error = ::posix_spawn(&pid, name.c_str(), &actions, &attributes, argv.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  posix_spawnattr_destroy(&attributes);
  return error == 0 ? pid : -1;
}

}  // namespace

LocalServer::LocalServer(LocalServer&& other) noexcept
    : pid_(std::exchange(other.pid_, -1)), output_(std::exchange(other.output_, -1)), url_(std::move(other.url_)) {}

LocalServer& LocalServer::operator=(LocalServer&& other) noexcept {
  std::swap(pid_, other.pid_);
  std::swap(output_, other.output_);
  std::swap(url_, other.url_);
  return *this;
}

Result<LocalServer, std::string> LocalServer::start(const std::filesystem::path& program,
                                                    const std::vector<std::string>& arguments) {
  if (::access(program.c_str(), X_OK) != 0) return failed(program, std::generic_category().message(errno));
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) return failed(program, std::generic_category().message(errno));
  int error = 0;
  const pid_t pid = spawn(program, arguments, ends[1], error);
  ::close(ends[1]);
  LocalServer server(pid, ends[0]);
  if (pid < 0) return failed(program, std::generic_category().message(error));
  if (!server.read_url()) return failed(program, "it did not say where it listens");
  return server;
}

/// The first line of its output, one byte at a time: there is only one, once.
bool LocalServer::read_url() {
  std::string line;
  while (line.size() < 1000) {
    pollfd waiting{output_, POLLIN, 0};
    char byte = 0;
    if (::poll(&waiting, 1, start_limit_ms) <= 0 || ::read(output_, &byte, 1) != 1) return false;
    if (byte == '\n') break;
    line += byte;
  }
  if (!line.starts_with(greeting)) return false;
  url_ = line.substr(greeting.size());
  return true;
}

void LocalServer::stop() noexcept {
  if (pid_ > 0) {
    ::kill(pid_, SIGTERM);
    int waited_ms = 0;
    while (::waitpid(pid_, nullptr, WNOHANG) == 0) {
      if (waited_ms++ == stop_limit_ms) ::kill(pid_, SIGKILL);
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
  }
  if (output_ >= 0) ::close(output_);
  pid_ = output_ = -1;
}

std::filesystem::path bundled_server() {
  std::error_code error;
  const auto self = std::filesystem::read_symlink("/proc/self/exe", error);
  return self.parent_path() / "refserver";
}

}  // namespace loadgen
