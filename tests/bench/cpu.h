// CPU time of processes with their children, from /proc, in steps of 10 ms.
#pragma once

#include <sys/types.h>

#include <string>
#include <utility>
#include <vector>

namespace oltp20::bench {

// Of the process, its living children, and those that have ended and were waited for.
double tree_cpu_s(pid_t root);

// Processes by name, for the columns of a table.
using CpuTimes = std::vector<std::pair<std::string, double>>;
CpuTimes cpu_since(const CpuTimes& before, const CpuTimes& now);

}  // namespace oltp20::bench
