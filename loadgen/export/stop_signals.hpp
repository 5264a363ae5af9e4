// The signals that end a run in good order; blocked in all threads, and waited for where there is time to listen.
#pragma once

#include <signal.h>

namespace loadgen {

/// SIGINT, SIGTERM and, unless whoever started the program has it ignored as nohup does, SIGHUP: a run whose terminal
/// is gone leaves what it has.
inline sigset_t stop_signals() noexcept {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGINT);
  sigaddset(&set, SIGTERM);
  struct sigaction hangup {};
  if (sigaction(SIGHUP, nullptr, &hangup) == 0 && hangup.sa_handler != SIG_IGN) sigaddset(&set, SIGHUP);
  return set;
}

}  // namespace loadgen
