// The one enum of exit codes of every refserver command; scripts and service managers rely on these numbers.
#pragma once

namespace refserver {

enum class ExitCode : int {
  ok = 0,            ///< stopped by SIGTERM or SIGINT, the work is done, or help was printed
  error = 1,         ///< internal or I/O error, such as a truth log that cannot be written
  does_not_fit = 2,  ///< plan: the models do not fit the GPU
  bad_usage = 64,    ///< bad flags or a bad config file; nothing was started
  bad_data = 65,     ///< inspect, plan, simulate: a file or folder that cannot be loaded
  unavailable = 69,  ///< the address could not be bound; health: the server is not well
};

}  // namespace refserver
