// From the names that exporters and servers use to ours: DCGM, Triton and our own pages for GPUs; TGI, vLLM and
// refserver for servers.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "loadgen/observe/reading.hpp"
#include "loadgen/result.hpp"

namespace loadgen {

/// One reading per GPU of the page, by index or, where the page has none, in the page's order. Values that the exporter
/// marks as blank are left out. Subjects carry no source yet. An error when the page is malformed or has no GPU.
Result<std::vector<SubjectReading>, std::string> gpu_readings(std::string_view page);

/// One reading per model of the page, and one without a model for what it says of the whole server. Several engines of
/// one model are added up; of `kv_usage` the fullest counts. An error when the page is malformed or has no metric that
/// we know.
Result<std::vector<SubjectReading>, std::string> server_readings(std::string_view page);

}  // namespace loadgen
