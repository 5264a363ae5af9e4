#include "exporters/tests/influxd_process.hpp"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <fstream>
#include <nlohmann/json.hpp>
#include <random>
#include <stdexcept>
#include <thread>
#include <utility>

#include "exporters/tests/must.hpp"

namespace exporters {
namespace {

using namespace std::chrono_literals;

/// A port that nobody listens on now, and that the kernel by itself gives to nobody before influxd has it.
std::uint16_t free_port() {
  std::random_device random;
  std::uniform_int_distribution<int> below_those_of_the_kernel(12'000, 32'000);
  for (int attempt = 0; attempt < 1000; ++attempt) {
    const auto port = static_cast<std::uint16_t>(below_those_of_the_kernel(random));
    const int probe = socket(AF_INET, SOCK_STREAM, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    const bool is_free = bind(probe, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0;
    close(probe);
    if (is_free) return port;
  }
  throw std::runtime_error("no port is free");
}

std::string config(const ScratchDir& dir, std::uint16_t http_port, std::uint16_t rpc_port, InfluxdProcess::Auth auth) {
  const auto quoted = [&](const std::string& name) { return '"' + (dir / name).string() + '"'; };
  const auto address = [](std::uint16_t port) { return "\"127.0.0.1:" + std::to_string(port) + '"'; };
  return "bind-address = " + address(rpc_port) + "\nreporting-enabled = false\n[meta]\n  dir = " + quoted("meta") +
         "\n[data]\n  dir = " + quoted("data") + "\n  wal-dir = " + quoted("wal") +
         "\n  index-version = \"tsi1\"\n  query-log-enabled = false\n[monitor]\n  store-enabled = false\n[http]\n  "
         "bind-address = " +
         address(http_port) +
         "\n  log-enabled = false\n  auth-enabled = " + (auth == InfluxdProcess::Auth::on ? "true" : "false") + "\n";
}

}  // namespace

InfluxdProcess::InfluxdProcess(Auth auth) : http_port_(free_port()), rpc_port_(free_port()) {
  std::ofstream(dir_ / "influxdb.conf") << config(dir_, http_port_, rpc_port_, auth);
  start();
}

InfluxdProcess::~InfluxdProcess() {
  stop();
}

void InfluxdProcess::start() {
  const std::string conf = (dir_ / "influxdb.conf").string();
  const std::string log = (dir_ / "influxd.log").string();
  pid_ = fork();
  if (pid_ == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);  // a crashed test leaves no server behind
    const int out = open(log.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0644);
    dup2(out, 1);
    dup2(out, 2);
    execl(binary, binary, "run", "-config", conf.c_str(), static_cast<char*>(nullptr));
    _exit(127);
  }
  HttpClient client(
      {.server = "http://127.0.0.1:" + std::to_string(http_port_), .credentials = {}, .should_abort = {}});
  const auto limit = std::chrono::steady_clock::now() + 120s;
  while (client.get("/ping").status != 204) {
    if (std::chrono::steady_clock::now() > limit)
      throw std::runtime_error("influxd does not start:\n" + read_file(log));
    std::this_thread::sleep_for(10ms);
  }
}

void InfluxdProcess::stop() {
  if (pid_ == 0) return;
  kill(pid_, SIGTERM);
  waitpid(std::exchange(pid_, 0), nullptr, 0);
}

InfluxTarget InfluxdProcess::target(const std::string& database, HttpCredentials credentials) const {
  const auto url =
      must(parse_influx_url("http://127.0.0.1:" + std::to_string(http_port_) + "/" + percent_encoded(database)));
  return {url, std::move(credentials), 10s};
}

nlohmann::json InfluxdProcess::query(const std::string& database, const std::string& text,
                                     HttpCredentials credentials) const {
  HttpClient client({target(database).url.server(), std::move(credentials), 10s, {}});
  const HttpAnswer answer = client.post("/query?epoch=ns&db=" + percent_encoded(database),
                                        "application/x-www-form-urlencoded", "q=" + percent_encoded(text));
  if (answer.status != 200) throw std::runtime_error(text + ": " + error_message(answer));
  auto result = nlohmann::json::parse(answer.body).at("results").at(0);
  if (result.contains("error")) throw std::runtime_error(text + ": " + result.dump());
  return result;
}

std::uint64_t InfluxdProcess::count(const std::string& database, const std::string& measurement,
                                    const std::string& field) const {
  const auto result = query(database, "SELECT count(\"" + field + "\") FROM \"" + measurement + "\"");
  return result.contains("series") ? result["series"][0]["values"][0][1].get<std::uint64_t>() : 0;
}

}  // namespace exporters
