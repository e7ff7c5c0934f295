#include "tests/bench/cpu.h"

#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <sstream>
#include <stdexcept>

namespace oltp20::bench {
namespace {

struct Ticks {
  pid_t parent = 0;
  double own = 0, of_ended_children = 0;
};

// Fields 4 and 14 to 17 of /proc/PID/stat; what stands before is the name in parentheses.
bool read_ticks(const std::string& pid, Ticks* out) {
  std::ifstream file("/proc/" + pid + "/stat");
  std::string text;
  // Not through the buffer's iterators: of a process that ends meanwhile they throw.
  std::getline(file, text);
  const std::size_t name_end = text.rfind(')');
  if (name_end == std::string::npos) return false;
  std::istringstream rest(text.substr(name_end + 2));
  std::string word;
  for (int field = 3; field <= 17 && rest >> word; ++field) {
    if (field == 4) out->parent = std::stoi(word);
    if (field == 14 || field == 15) out->own += std::stod(word);
    if (field == 16 || field == 17) out->of_ended_children += std::stod(word);
  }
  return true;
}

}  // namespace

double tree_cpu_s(pid_t root) {
  Ticks of_root;
  if (!read_ticks(std::to_string(root), &of_root))
    throw std::runtime_error("process " + std::to_string(root) + " has ended");
  double ticks = of_root.own + of_root.of_ended_children;
  for (const auto& entry : std::filesystem::directory_iterator("/proc")) {
    const std::string name = entry.path().filename();
    Ticks child;
    if (name.find_first_not_of("0123456789") == std::string::npos && read_ticks(name, &child) &&
        child.parent == root)
      ticks += child.own;
  }
  return ticks / static_cast<double>(sysconf(_SC_CLK_TCK));
}

CpuTimes cpu_since(const CpuTimes& before, const CpuTimes& now) {
  CpuTimes out = now;
  for (std::size_t i = 0; i < out.size() && i < before.size(); ++i)
    out[i].second -= before[i].second;
  return out;
}

}  // namespace oltp20::bench
