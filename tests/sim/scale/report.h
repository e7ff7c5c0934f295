// The results as a table in Markdown and as a picture.
#pragma once

#include <string>

#include "tests/sim/scale/experiments.h"

namespace oltp20::sim {

std::string costs_of(const Results& results);  // the last of the tables
std::string markdown_of(const Results& results);
std::string svg_of(const Results& results);

}  // namespace oltp20::sim
