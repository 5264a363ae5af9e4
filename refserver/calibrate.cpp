// A condition nobody signals, and a TCP connection of this thread with itself.
#include "refserver/calibrate.hpp"

#include <algorithm>
#include <boost/asio/buffer.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/write.hpp>
#include <condition_variable>
#include <mutex>
#include <string>
#include <vector>

namespace refserver {
namespace {

using Clock = std::chrono::steady_clock;
using boost::asio::ip::tcp;

constexpr std::chrono::milliseconds kSleep{1};
constexpr std::size_t kEventBytes = 130;  ///< what a token's event has, framing included

DelayFacts facts_of(std::vector<std::chrono::nanoseconds> delays) {
  std::ranges::sort(delays);
  const auto at = [&](double share) {
    const auto rank = static_cast<std::size_t>(share * static_cast<double>(delays.size()));
    return delays[std::min(rank, delays.size() - 1)];
  };
  return {at(0.5), at(0.99), delays.back()};
}

DelayFacts measure_timer(std::uint32_t samples) {
  std::mutex mutex;
  std::condition_variable nobody;
  std::unique_lock lock(mutex);
  std::vector<std::chrono::nanoseconds> late;
  for (std::uint32_t i = 0; i < samples; ++i) {
    const Clock::time_point due = Clock::now() + kSleep;
    while (Clock::now() < due) nobody.wait_until(lock, due);
    late.push_back(Clock::now() - due);
  }
  return facts_of(std::move(late));
}

DelayFacts measure_write(std::uint32_t samples) {
  boost::asio::io_context io;
  tcp::acceptor acceptor(io, tcp::endpoint(boost::asio::ip::address_v4::loopback(), 0));
  tcp::socket writer(io);
  writer.connect(acceptor.local_endpoint());
  tcp::socket reader = acceptor.accept();
  writer.set_option(tcp::no_delay(true));
  const std::string event(kEventBytes, 'x');
  std::string read(kEventBytes, ' ');
  std::vector<std::chrono::nanoseconds> took;
  for (std::uint32_t i = 0; i < samples; ++i) {
    const Clock::time_point begin = Clock::now();
    boost::asio::write(writer, boost::asio::buffer(event));
    took.push_back(Clock::now() - begin);
    boost::asio::read(reader, boost::asio::buffer(read));
  }
  return facts_of(std::move(took));
}

}  // namespace

Calibration calibrate(std::uint32_t samples) {
  samples = std::max(samples, 1U);
  return {samples, measure_timer(samples), measure_write(samples)};
}

}  // namespace refserver
