// Which fields the points of a run have, of which type, and which of them every point of a measurement has: what is
// checked against a database before a run and counted there after it. docs/points.md says it for people.
#pragma once

#include <vector>

#include "exporters/influx_query.hpp"

namespace loadgen {

/// Every field of every measurement.
std::vector<exporters::FieldUse> point_fields();

/// Every measurement that has one, with a field that none of its points lacks.
std::vector<exporters::CountedField> counted_fields();

}  // namespace loadgen
