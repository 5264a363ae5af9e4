// Gaps are drawn by number; sums are kept with fractions of a nanosecond, so that rates are what they say.
#include "refserver/simulate/arrivals.hpp"

#include <cmath>
#include <queue>
#include <utility>

#include "refserver/engine/keyed_random.hpp"

namespace refserver {
namespace {

Distribution gap_of(const ArrivalSettings& settings) {
  const double mean = 1e9 / settings.rate_per_s;
  switch (settings.process) {
    case ArrivalProcess::poisson:
      return Distribution(ExponentialTime{mean});
    case ArrivalProcess::gamma:
      return Distribution(GammaTime{mean, settings.gamma_shape});
    case ArrivalProcess::constant:
    case ArrivalProcess::closed:
      break;
  }
  return Distribution(ConstantTime{mean});
}

class OpenArrivals final : public Arrivals {
 public:
  OpenArrivals(const ArrivalSettings& settings, TimePoint start)
      : gap_(gap_of(settings)), seed_(settings.seed), start_(start) {
    pop();
  }

  std::optional<TimePoint> next() const override {
    return start_ + std::chrono::nanoseconds(std::llround(elapsed_ns_));
  }
  void pop() override { elapsed_ns_ += gap_.quantile_ns(keyed_uniform(seed_, Draw::arrival, count_++, 0)); }

 private:
  Distribution gap_;
  std::uint64_t seed_;
  TimePoint start_;
  std::uint64_t count_ = 0;
  double elapsed_ns_ = 0;
};

class ClosedArrivals final : public Arrivals {
 public:
  ClosedArrivals(const ArrivalSettings& settings, TimePoint start) : think_(settings.think), seed_(settings.seed) {
    for (std::uint32_t i = 0; i < settings.clients; ++i) times_.push(start);
  }

  std::optional<TimePoint> next() const override { return times_.empty() ? std::nullopt : std::optional(times_.top()); }
  void pop() override { times_.pop(); }
  void on_finished(TimePoint at) override {
    times_.push(at + think_.draw(keyed_uniform(seed_, Draw::arrival, count_++, 0)));
  }

 private:
  Distribution think_;
  std::uint64_t seed_;
  std::uint64_t count_ = 0;
  std::priority_queue<TimePoint, std::vector<TimePoint>, std::greater<>> times_;
};

class ListedArrivals final : public Arrivals {
 public:
  ListedArrivals(std::vector<std::chrono::nanoseconds> times, TimePoint start)
      : times_(std::move(times)), start_(start) {}

  std::optional<TimePoint> next() const override {
    return at_ < times_.size() ? std::optional(start_ + times_[at_]) : std::nullopt;
  }
  void pop() override { ++at_; }

 private:
  std::vector<std::chrono::nanoseconds> times_;
  TimePoint start_;
  std::size_t at_ = 0;
};

}  // namespace

std::unique_ptr<Arrivals> make_arrivals(const ArrivalSettings& settings, TimePoint start) {
  if (settings.process == ArrivalProcess::closed) return std::make_unique<ClosedArrivals>(settings, start);
  return std::make_unique<OpenArrivals>(settings, start);
}

std::unique_ptr<Arrivals> make_arrivals(std::vector<std::chrono::nanoseconds> times, TimePoint start) {
  return std::make_unique<ListedArrivals>(std::move(times), start);
}

}  // namespace refserver
