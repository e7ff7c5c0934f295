// Makes the simulator's copies of core sources, in which rules can be broken: core_switches.txt
// says what is replaced by what. Usage: sim_switch_sources TABLE SOURCE_ROOT OUT_ROOT LIST_ROOT
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <sstream>
#include <string>
#include <vector>

namespace {

[[noreturn]] void fail(const std::string& why) {
  std::fprintf(stderr, "core_switches.txt: %s\n", why.c_str());
  std::exit(1);
}

std::string read(const std::filesystem::path& path) {
  std::ifstream in(path);
  if (!in) fail("there is no file " + path.string());
  std::stringstream text;
  text << in.rdbuf();
  return text.str();
}

void write_if_changed(const std::filesystem::path& path, const std::string& text) {
  if (std::filesystem::exists(path) && read(path) == text) return;
  std::filesystem::create_directories(path.parent_path());
  std::ofstream(path) << text;
}

struct Replacement {
  std::string name, from, to;
};

void replace(std::string* text, const std::string& file, const Replacement& r) {
  std::size_t at = text->find(r.from);
  if (at == std::string::npos || text->find(r.from, at + 1) != std::string::npos)
    fail("switch " + r.name + ": " + file + " does not hold exactly once: " + r.from);
  std::string to = r.to;
  const std::string broken = "::oltp20::sim::broken(::oltp20::sim::Switch::" + r.name + ")";
  for (std::size_t b = 0; (b = to.find("BROKEN", b)) != std::string::npos; b += broken.size())
    to.replace(b, 6, broken);
  text->replace(at, r.from.size(), to);
}

std::string trimmed(const std::string& text) {
  std::size_t first = text.find_first_not_of(' ');
  return first == std::string::npos ? ""
                                    : text.substr(first, text.find_last_not_of(' ') - first + 1);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 5) fail("usage: sim_switch_sources TABLE SOURCE_ROOT OUT_ROOT LIST_ROOT");
  std::filesystem::path root = argv[2], out = argv[3];
  std::map<std::string, std::string> files;
  std::string name, file, list;
  std::vector<Replacement> open;  // of the current file
  auto close = [&] {
    for (const Replacement& r : open) replace(&files[file], file, r);
    open.clear();
  };
  std::istringstream table(read(argv[1]));
  bool replacing = false;
  for (std::string line; std::getline(table, line);) {
    if (line.empty() || line[0] == '#') continue;
    std::string rest = line.size() > 2 ? line.substr(2) : "";
    if (line.starts_with("switch ")) {
      std::istringstream in(line.substr(7));
      std::string rule, what;
      std::getline(in, name, '|');
      std::getline(in, rule, '|');
      std::getline(in, what);
      name = trimmed(name);
      list += "X(" + name + ", \"" + trimmed(rule) + "\", \"" + trimmed(what) + "\")\n";
    } else if (line.starts_with("file ")) {
      close();
      file = trimmed(line.substr(5));
      if (!files.contains(file))
        files[file] = "#include \"tests/sim/switches.h\"\n" + read(root / file);
    } else if (line.starts_with("- ")) {
      open.push_back({name, rest, ""});
      replacing = false;
    } else if (line.starts_with("+ ") && !open.empty()) {
      if (replacing) open.back().to += "\n";
      open.back().to += rest;
      replacing = true;
    } else {
      fail("this line is not understood: " + line);
    }
  }
  close();
  for (const auto& [path, text] : files) write_if_changed(out / path, text);
  write_if_changed(std::filesystem::path(argv[4]) / "core_switches.inc", list);
}
