// A one-request plan on a one-request event loop.
#include "loadgen/drive/single_request.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>

#include "loadgen/drive/asio_types.hpp"
#include "loadgen/drive/connection_pool.hpp"
#include "loadgen/drive/exchange.hpp"
#include "loadgen/drive/request_writer.hpp"

namespace loadgen {
namespace {

Task<void> perform(Exchange& exchange, Connection& connection, Endpoint endpoint, Timer& deadline) {
  exchange.record.stamps.intended = exchange.record.stamps.dispatch = monotonic_ns();
  exchange.record.new_connection = true;
  exchange.set_connection(&connection);
  if (const ErrorCode ec = co_await connect(connection, endpoint); ec) {
    exchange.fail_connect(ec);
  } else {
    exchange.record.stamps.connected = monotonic_ns();
    co_await exchange.run(connection);
  }
  deadline.cancel();
}

Task<void> cut_when_over(Exchange& exchange, Timer& deadline) {
  const auto [ec] = co_await deadline.async_wait(as_result);
  if (!ec) exchange.cut(Outcome::timeout_total, "not finished within the total timeout");
}

}  // namespace

RequestRecord send_single_request(const MixEntry& entry, const Address& address, const Timeouts& timeouts) {
  Scenario scenario;
  scenario.mix = {entry};
  scenario.nonce = false;
  const Plan plan(scenario);
  const RequestWriter writer(plan, "probe");
  asio::io_context io{1};
  Exchange exchange;
  exchange.prepare(plan.scenario().mix.front(), timeouts);
  writer.write(PlannedRequest{}, exchange.request_bytes);
  Connection connection(io.get_executor());
  Timer deadline(io);
  deadline.expires_after(timeouts.connect + timeouts.total);
  const Endpoint endpoint(asio::ip::make_address(address.text), address.port);
  asio::co_spawn(io, perform(exchange, connection, endpoint, deadline), asio::detached);
  asio::co_spawn(io, cut_when_over(exchange, deadline), asio::detached);
  io.run();
  return exchange.record;
}

}  // namespace loadgen
