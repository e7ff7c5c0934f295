// What a ConfigReader and its sections share. For this folder only.
#pragma once

#include <filesystem>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "common/config/overrides.h"
#include "common/config/toml_tree.h"

namespace oltp20 {

struct ConfigProblem {
  int line = 0;  // for the order of the list; overrides come last
  std::string text;
};

// One value and where it was written.
struct ConfigValue {
  std::string name;   // "hub.listen"
  std::string place;  // "hub.toml:3", "flag hub.listen", ...
  int line = 0;
  const TomlNode* node = nullptr;       // from the file, or
  std::optional<std::string> override;  // from a flag or the environment
};

struct ConfigState {
  std::string name;  // of the file, as messages show it
  std::filesystem::path directory;
  TomlNode root;
  ConfigOverrides overrides;
  std::vector<ConfigProblem> problems;
  std::set<std::string> sections;                          // asked for with section()
  std::set<std::string> lists;                             // asked for with list()
  std::map<const TomlNode*, std::set<std::string>> known;  // keys asked for, a table
  std::map<const TomlNode*, std::string> names;            // of those tables
  std::set<std::string> overridable;                       // "section.key" asked for
  std::set<std::string> used_flags, used_environment;

  std::string place(int line) const { return name + ":" + std::to_string(line); }
  void report(int line, const std::string& where, const std::string& sentence) {
    problems.push_back({line, where + ": " + sentence});
  }
};

inline constexpr int kOverrideLine = 1 << 30;

}  // namespace oltp20
