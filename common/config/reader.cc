#include "common/config/reader.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>

#include "common/config/state.h"
#include "common/config/suggest.h"
#include "common/config/toml_limits.h"

namespace oltp20 {
namespace {

std::vector<std::string> as_list(const std::set<std::string>& words) {
  return {words.begin(), words.end()};
}

// Tables and lists of the file that the program does not know.
void report_unknown_sections(ConfigState& state) {
  std::set<std::string> known = state.sections;
  known.insert(state.lists.begin(), state.lists.end());
  for (const auto& [name, node] : state.root.fields) {
    if (known.contains(name)) continue;
    bool section = node.kind == TomlNode::Kind::table || node.kind == TomlNode::Kind::array;
    state.report(node.line, state.place(node.line),
                 name + (section ? ": unknown section" : ": unknown key outside of any section") +
                     suggestion(name, as_list(known)));
  }
}

void report_unknown_keys(ConfigState& state) {
  for (const auto& [node, known] : state.known)
    for (const auto& [key, field] : node->fields)
      if (!known.contains(key))
        state.report(
            field.line, state.place(field.line),
            state.names[node] + "." + key + ": unknown key" + suggestion(key, as_list(known)));
}

// Flags all have to be known. Of the environment only what names a section of this program: other
// programs share it.
void report_unknown_overrides(ConfigState& state) {
  std::vector<std::string> variables;
  for (const std::string& key : state.overridable) variables.push_back(environment_name(key));
  for (const auto& [key, value] : state.overrides.flags)
    if (!state.used_flags.contains(key))
      state.report(kOverrideLine, "flag " + key,
                   "unknown key" + suggestion(key, as_list(state.overridable)));
  for (const auto& [name, value] : state.overrides.environment) {
    if (state.used_environment.contains(name)) continue;
    bool ours = std::any_of(state.sections.begin(), state.sections.end(),
                            [&variable = name](const std::string& section) {
                              return variable.starts_with(environment_name(section) + "_");
                            });
    if (ours)
      state.report(kOverrideLine, "environment variable " + name,
                   "unknown key" + suggestion(name, variables));
  }
}

Status cannot_read(const std::filesystem::path& file, const std::string& why) {
  return Status(Code::not_found, file.string() + ": cannot read the file: " + why +
                                     "; check the path and its permissions");
}

}  // namespace

ConfigReader::ConfigReader(std::shared_ptr<ConfigState> state) : state_(std::move(state)) {}

Result<ConfigReader> ConfigReader::open(const std::filesystem::path& file,
                                        ConfigOverrides overrides) {
  std::error_code error;
  if (std::filesystem::is_directory(file, error)) return cannot_read(file, "it is a directory");
  std::ifstream stream(file, std::ios::binary);
  if (!stream) return cannot_read(file, std::strerror(errno));
  std::string text(kConfigFileBytes + 1, '\0');  // one more, so that a longer file is noticed
  stream.read(text.data(), static_cast<std::streamsize>(text.size()));
  if (stream.bad()) return cannot_read(file, std::strerror(errno));
  text.resize(static_cast<std::size_t>(stream.gcount()));
  std::filesystem::path directory = std::filesystem::absolute(file, error).parent_path();
  return from_text(text, file.string(), directory, std::move(overrides));
}

Result<ConfigReader> ConfigReader::from_text(std::string_view text, std::string name,
                                             std::filesystem::path directory,
                                             ConfigOverrides overrides) {
  Result<TomlNode> root = parse_toml(text, name);
  if (!root) return root.status();
  auto state = std::make_shared<ConfigState>();
  state->name = std::move(name);
  state->directory = std::move(directory);
  state->root = std::move(*root);
  state->overrides = std::move(overrides);
  return ConfigReader(std::move(state));
}

ConfigSection ConfigReader::section(std::string_view name) {
  std::string key(name);
  state_->sections.insert(key);
  const TomlNode* node = nullptr;
  if (auto found = state_->root.fields.find(key); found != state_->root.fields.end()) {
    node = &found->second;
    if (node->kind != TomlNode::Kind::table) {
      state_->report(node->line, state_->place(node->line),
                     key + ": expected the section [" + key + "], found " +
                         std::string(kind_name(node->kind)));
      node = nullptr;
    }
  }
  return ConfigSection(state_, node, key, true);
}

std::vector<ConfigSection> ConfigReader::list(std::string_view name) {
  std::string key(name);
  state_->lists.insert(key);
  std::vector<ConfigSection> out;
  auto found = state_->root.fields.find(key);
  if (found == state_->root.fields.end()) return out;
  auto wrong = [&](const TomlNode& node) {
    state_->report(node.line, state_->place(node.line),
                   key + ": expected a list whose items each begin with [[" + key + "]], found " +
                       std::string(kind_name(node.kind)));
  };
  if (found->second.kind != TomlNode::Kind::array) {
    wrong(found->second);
    return out;
  }
  for (const TomlNode& item : found->second.items) {
    std::string item_name = key + "[" + std::to_string(out.size() + 1) + "]";
    if (item.kind != TomlNode::Kind::table) {
      wrong(item);
    } else {
      out.push_back(ConfigSection(state_, &item, item_name, false));
    }
  }
  return out;
}

Status ConfigReader::finish() {
  report_unknown_sections(*state_);
  report_unknown_keys(*state_);
  report_unknown_overrides(*state_);
  if (state_->problems.empty()) return {};
  std::stable_sort(state_->problems.begin(), state_->problems.end(),
                   [](const auto& a, const auto& b) { return a.line < b.line; });
  std::string all;
  for (const ConfigProblem& problem : state_->problems)
    all += (all.empty() ? "" : "\n") + problem.text;
  state_->problems.clear();
  return Status(Code::invalid, all);
}

}  // namespace oltp20
