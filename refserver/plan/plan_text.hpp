// A plan as people read it and as JSON. Pure.
#pragma once

#include <string>

#include "refserver/plan/memory_plan.hpp"
#include "refserver/plan/roofline.hpp"

namespace refserver {

/// A table in MiB, then what follows from it, then every assumption.
std::string plan_text(const Gpu& gpu, const PlanRequest& request, const MemoryPlan& plan, const Roofline& roofline);

/// The same in exact bytes and seconds, as one JSON object.
std::string plan_json(const Gpu& gpu, const PlanRequest& request, const MemoryPlan& plan, const Roofline& roofline);

/// What is missing when it does not fit, in one line with the numbers.
std::string shortage_text(const PlanRequest& request, const MemoryPlan& plan);

}  // namespace refserver
