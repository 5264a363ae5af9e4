// A one-request plan on a one-request event loop.
#include "loadgen/drive/single_request.hpp"

#include "loadgen/drive/clock.hpp"
#include "loadgen/drive/courier.hpp"
#include "loadgen/drive/event_loop.hpp"
#include "loadgen/drive/request_writer.hpp"

namespace loadgen {
namespace {

/// Ends the loop with the request.
class OneRequest final : public Courier::Client {
 public:
  explicit OneRequest(EventLoop& loop) : loop_(loop) {}
  void on_over(Exchange&) override { loop_.stop(); }
  void on_sent(Exchange&) override {}
  void on_read(const Exchange&, const Arrival&) override {}

 private:
  EventLoop& loop_;
};

}  // namespace

RequestRecord send_single_request(const MixEntry& entry, const Address& address, const Timeouts& timeouts,
                                  const std::vector<std::string>& source_addresses) {
  Scenario scenario;
  scenario.mix = {entry};
  scenario.nonce = false;
  const Plan plan(scenario);
  const RequestWriter writer(plan, "probe");
  std::string bytes;
  writer.write(PlannedRequest{}, bytes);

  EventLoop loop;
  OneRequest client(loop);
  Exchange exchange;
  exchange.prepare(plan.scenario().mix.front(), timeouts);
  const auto endpoint = make_endpoint(address);
  if (!endpoint) {
    exchange.cut(Outcome::connect, "not an address", monotonic_ns());
    return exchange.record;
  }
  Courier courier(loop, client, {*endpoint}, SourceAddresses(source_addresses));
  std::function<void()> look_at_deadline = [&] {
    courier.sweep(monotonic_ns());
    if (courier.under_way() > 0) loop.call_at(monotonic_ns() + 1'000'000, look_at_deadline);
  };
  loop.call_at(0, [&] {
    exchange.record.stamps.intended = exchange.record.stamps.dispatch = monotonic_ns();
    courier.carry(exchange, 0, bytes);
    look_at_deadline();
  });
  loop.run();
  return exchange.record;
}

}  // namespace loadgen
