// The report as an SVG picture: one panel a benchmark and case, one bar a system, with a whisker
// from the least to the most.
#pragma once

#include <string>

#include "tests/bench/report.h"

namespace oltp20::bench {

std::string plot_svg(const Report& report);

}  // namespace oltp20::bench
