#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstring>

#include "common/config/reader.h"
#include "common/config/size_text.h"
#include "common/config/state.h"
#include "common/config/suggest.h"

namespace oltp20 {
namespace {

// The whole text as a number; nullopt when it is not one.
template <typename Number>
std::optional<Number> number_from(std::string_view text) {
  Number out{};
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return out;
}

std::vector<std::string> split_commas(std::string_view text) {
  std::vector<std::string> out;
  while (!text.empty()) {
    std::string_view item = text.substr(0, text.find(','));
    text.remove_prefix(std::min(item.size() + 1, text.size()));
    while (item.starts_with(' ')) item.remove_prefix(1);
    while (item.ends_with(' ')) item.remove_suffix(1);
    if (!item.empty()) out.emplace_back(item);
  }
  return out;
}

std::string found(const ConfigValue& value) {
  if (value.override) return "found \"" + *value.override + "\"";
  std::string out = "found " + std::string(kind_name(value.node->kind));
  if (value.node->kind == TomlNode::Kind::text) out += " (take the quotes away)";
  return out;
}

std::string number_text(double number) {
  std::string out = std::to_string(number);
  out.erase(out.find_last_not_of('0') + 1);
  if (out.ends_with('.')) out.pop_back();
  return out;
}

}  // namespace

ConfigSection::ConfigSection(std::shared_ptr<ConfigState> state, const TomlNode* node,
                             std::string name, bool overridable)
    : state_(std::move(state)), node_(node), name_(std::move(name)), overridable_(overridable) {
  if (node_ == nullptr) return;
  state_->known[node_];
  state_->names[node_] = name_;
}

std::string ConfigSection::dotted(std::string_view key) const {
  return key.empty() ? name_ : name_ + "." + std::string(key);
}

int ConfigSection::line() const {
  return node_ == nullptr ? 1 : node_->line;
}

std::optional<ConfigValue> ConfigSection::find(std::string_view key) {
  ConfigValue value;
  value.name = dotted(key);
  if (node_ != nullptr) state_->known[node_].insert(std::string(key));
  if (overridable_) {
    state_->overridable.insert(value.name);
    value.line = kOverrideLine;
    const auto& [flags, environment] = state_->overrides;
    std::string variable = environment_name(value.name);
    auto in_environment = environment.find(variable);
    if (in_environment != environment.end()) {
      state_->used_environment.insert(variable);
      value.place = "environment variable " + variable;
      value.override = in_environment->second;
    }
    if (auto flag = flags.find(value.name); flag != flags.end()) {
      state_->used_flags.insert(value.name);
      value.place = "flag " + value.name;
      value.override = flag->second;
    }
    if (value.override) return value;
  }
  if (node_ == nullptr) return std::nullopt;
  auto field = node_->fields.find(std::string(key));
  if (field == node_->fields.end()) return std::nullopt;
  value.node = &field->second;
  value.line = value.node->line;
  value.place = state_->place(value.line);
  return value;
}

std::optional<ConfigValue> ConfigSection::require(std::string_view key) {
  auto value = find(key);
  if (!value) {
    std::string where =
        node_ == nullptr ? "a section [" + name_ + "] with it" : "it to this section";
    state_->report(line(), state_->place(line()),
                   dotted(key) + ": required but missing; add " + where +
                       (overridable_ ? ", or set " + environment_name(dotted(key)) : ""));
  }
  return value;
}

void ConfigSection::wrong(const ConfigValue& value, const std::string& sentence) {
  state_->report(value.line, value.place, value.name + ": " + sentence);
}

void ConfigSection::problem(std::string_view key, const std::string& sentence) {
  if (auto value = key.empty() ? std::nullopt : find(key)) return wrong(*value, sentence);
  state_->report(line(), state_->place(line()), dotted(key) + ": " + sentence);
}

bool ConfigSection::has(std::string_view key) {
  return find(key).has_value();
}

ConfigSection ConfigSection::table(std::string_view key) {
  const TomlNode* node = nullptr;
  if (node_ != nullptr) {
    state_->known[node_].insert(std::string(key));
    auto field = node_->fields.find(std::string(key));
    if (field != node_->fields.end()) node = &field->second;
  }
  if (node != nullptr && node->kind != TomlNode::Kind::table) {
    state_->report(node->line, state_->place(node->line),
                   dotted(key) + ": expected a table such as { key = value }, found " +
                       std::string(kind_name(node->kind)));
    node = nullptr;
  }
  return ConfigSection(state_, node, dotted(key), overridable_);
}

std::optional<std::string> ConfigSection::read_text(const ConfigValue& value) {
  std::optional<std::string> out = value.override;
  if (!out && value.node->kind == TomlNode::Kind::text) out = value.node->text;
  if (!out) {
    wrong(value, "expected a string in quotes, " + found(value));
  } else if (out->empty()) {
    wrong(value, "is empty; give it a value or take the line out");
    return std::nullopt;
  } else if (out->find('\0') != std::string::npos) {
    wrong(value, "contains a zero byte; take it out");
    return std::nullopt;
  }
  return out;
}

std::optional<std::filesystem::path> ConfigSection::read_file(const ConfigValue& value) {
  auto text = read_text(value);
  if (!text) return std::nullopt;
  std::filesystem::path file = (state_->directory / *text).lexically_normal();
  std::error_code error;
  if (std::filesystem::is_directory(file, error)) {
    wrong(value, file.string() + " is a directory; name a file");
    return std::nullopt;
  }
  if (access(file.c_str(), R_OK) != 0) {
    std::string why = std::strerror(errno);
    wrong(value, "cannot read " + file.string() + ": " + why +
                     "; relative paths start at the configuration file's directory");
    return std::nullopt;
  }
  return file;
}

std::optional<Endpoint> ConfigSection::read_endpoint(const ConfigValue& value, PortZero port_zero) {
  auto text = read_text(value);
  if (!text) return std::nullopt;
  Result<Endpoint> endpoint = parse_endpoint(*text, port_zero);
  if (endpoint) return *endpoint;
  wrong(value, endpoint.status().message());
  return std::nullopt;
}

std::string ConfigSection::text(std::string_view key) {
  auto value = require(key);
  return value ? read_text(*value).value_or("") : "";
}

std::string ConfigSection::text_or(std::string_view key, std::string fallback) {
  auto value = find(key);
  return value ? read_text(*value).value_or(fallback) : fallback;
}

double ConfigSection::real(std::string_view key, double least, double most) {
  auto value = require(key);
  if (!value) return least;
  std::optional<double> number;
  if (value->override) {
    number = number_from<double>(*value->override);
  } else if (value->node->kind == TomlNode::Kind::real) {
    number = value->node->real;
  } else if (value->node->kind == TomlNode::Kind::integer) {
    number = static_cast<double>(value->node->integer);
  }
  if (!number) {
    wrong(*value, "expected a number, " + found(*value));
    return least;
  }
  if (!(*number >= least && *number <= most)) {  // so that "nan" is out of range, too
    wrong(*value, number_text(*number) + " is out of range; give a number from " +
                      number_text(least) + " to " + number_text(most));
    return least;
  }
  return *number;
}

std::int64_t ConfigSection::integer_or(std::string_view key, std::int64_t fallback,
                                       std::int64_t least, std::int64_t most) {
  auto value = find(key);
  if (!value) return fallback;
  std::optional<std::int64_t> number;
  if (value->override) {
    number = number_from<std::int64_t>(*value->override);
  } else if (value->node->kind == TomlNode::Kind::integer) {
    number = value->node->integer;
  }
  if (!number) {
    wrong(*value, "expected a whole number, " + found(*value));
    return fallback;
  }
  if (*number < least || *number > most) {
    wrong(*value, std::to_string(*number) + " is out of range; give a whole number from " +
                      std::to_string(least) + " to " + std::to_string(most));
    return fallback;
  }
  return *number;
}

bool ConfigSection::boolean_or(std::string_view key, bool fallback) {
  auto value = find(key);
  if (!value) return fallback;
  if (value->override == "true") return true;
  if (value->override == "false") return false;
  if (!value->override && value->node->kind == TomlNode::Kind::boolean) return value->node->boolean;
  wrong(*value, "expected true or false, " + found(*value));
  return fallback;
}

std::uint64_t ConfigSection::bytes_or(std::string_view key, std::uint64_t fallback,
                                      std::uint64_t least) {
  auto value = find(key);
  if (!value) return fallback;
  if (!value->override && value->node->kind != TomlNode::Kind::text) {
    wrong(*value, "expected a size such as \"50GiB\" in quotes, " + found(*value));
    return fallback;
  }
  Result<std::uint64_t> bytes = parse_size(value->override ? *value->override : value->node->text);
  if (!bytes) {
    wrong(*value, bytes.status().message());
    return fallback;
  }
  if (*bytes < least) {
    wrong(*value, size_text(*bytes) + " is too small; give at least " + size_text(least));
    return fallback;
  }
  return *bytes;
}

std::vector<std::string> ConfigSection::texts_or(std::string_view key,
                                                 std::vector<std::string> fallback) {
  auto value = find(key);
  if (!value) return fallback;
  if (value->override) return split_commas(*value->override);
  if (value->node->kind != TomlNode::Kind::array) {
    wrong(*value, "expected an array of strings such as [\"a\", \"b\"], found " +
                      std::string(kind_name(value->node->kind)));
    return fallback;
  }
  std::vector<std::string> out;
  for (const TomlNode& item : value->node->items) {
    if (item.kind == TomlNode::Kind::text) {
      out.push_back(item.text);
    } else {
      state_->report(item.line, state_->place(item.line),
                     value->name + ": expected only strings in this array, found " +
                         std::string(kind_name(item.kind)));
    }
  }
  return out;
}

std::string ConfigSection::choice_or(std::string_view key, std::string_view fallback,
                                     const std::vector<std::string>& choices) {
  auto value = find(key);
  if (!value) return std::string(fallback);
  auto text = read_text(*value);
  if (!text) return std::string(fallback);
  if (std::find(choices.begin(), choices.end(), *text) != choices.end()) return *text;
  std::string all;
  for (const std::string& choice : choices)
    all += (all.empty() ? "" : " or ") + ("\"" + choice + "\"");
  wrong(*value, "\"" + *text + "\" is not a choice here; write " + all);
  return std::string(fallback);
}

Endpoint ConfigSection::endpoint(std::string_view key, PortZero port_zero) {
  auto value = require(key);
  return value ? read_endpoint(*value, port_zero).value_or(Endpoint{}) : Endpoint{};
}

std::optional<Endpoint> ConfigSection::endpoint_if_set(std::string_view key, PortZero port_zero) {
  auto value = find(key);
  return value ? read_endpoint(*value, port_zero) : std::nullopt;
}

std::filesystem::path ConfigSection::path(std::string_view key) {
  std::string text = this->text(key);
  return text.empty() ? std::filesystem::path() : (state_->directory / text).lexically_normal();
}

std::filesystem::path ConfigSection::file(std::string_view key) {
  auto value = require(key);
  return value ? read_file(*value).value_or("") : std::filesystem::path();
}

std::optional<std::filesystem::path> ConfigSection::file_if_set(std::string_view key) {
  auto value = find(key);
  return value ? read_file(*value) : std::nullopt;
}

}  // namespace oltp20
