// What theory says of the wait in front of one server: closed forms only. Times are in any unit, the same throughout.
#pragma once

namespace refserver {

/// Poisson arrivals at `rate`, one server, requests in order of arrival.
struct SingleServer {
  double rate = 0;
  double service = 0;  ///< mean time of one request

  double utilisation() const { return rate * service; }
};

// Exponential service times. Utilisation must lie in (0, 1), p in (0, 1).
double mm1_mean_wait(const SingleServer& queue);
double mm1_wait_quantile(const SingleServer& queue, double p);

// Constant service times.
double md1_mean_wait(const SingleServer& queue);
/// P(wait <= t): Erlang's series, and beyond 20 service times, where its terms cancel, the exponential tail it has
/// settled into.
double md1_wait_cdf(const SingleServer& queue, double t);
double md1_wait_quantile(const SingleServer& queue, double p);

}  // namespace refserver
