#include "loadgen/export/influx_output.hpp"

#include <utility>

#include "exporters/influx_sink.hpp"
#include "loadgen/export/point_schema.hpp"

namespace loadgen {

Result<InfluxOutput, std::string> open_influx_output(const exporters::InfluxTarget& target,
                                                     const std::filesystem::path& spill_file) {
  const auto checked = exporters::preflight(target, exporters::DatabasePolicy::create_if_missing, point_fields());
  if (!checked) {
    const bool is_anonymous = target.credentials.user.empty() && target.credentials.token.empty();
    return {
        boost::system::in_place_error,
        checked.error() + (is_anonymous ? "; no credentials were given (LOADGEN_INFLUX_USER and "
                                          "LOADGEN_INFLUX_PASSWORD, LOADGEN_INFLUX_TOKEN, or --influx-credentials FILE)"
                                        : "")};
  }
  exporters::InfluxSinkOptions options;
  options.spill_file = spill_file;
  return InfluxOutput{exporters::make_influx_sink(target, options), *checked};
}

}  // namespace loadgen
