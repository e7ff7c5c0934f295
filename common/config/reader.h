// ConfigReader: one TOML file and its overrides, read key by key.
//
// Open the file, get every key that the program knows through sections, then call finish(). A
// getter that finds something wrong records the problem and returns a default, so that the reading
// code is a plain list and a person sees all problems of a file at once. Asking for a key is what
// makes it known: what was never asked for is an unknown key.
//
// Ownership: sections are cheap handles that share the reader's state and may outlive it. Threads:
// one at a time. Errors: Code::invalid (not_found for a file that is not there); one line a
// problem, "FILE:LINE: section.key: what is wrong and what to do".
#pragma once

#include <filesystem>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/status.h"
#include "common/config/endpoint.h"
#include "common/config/overrides.h"

namespace oltp20 {

struct TomlNode;
struct ConfigState;
struct ConfigValue;

// [name], an item of [[name]], or a table within one. A section that the file does not have is
// empty: its keys may still come from overrides, and required ones are missing.
class ConfigSection {
 public:
  // Required; the default comes back when there is a problem.
  std::string text(std::string_view key);
  double real(std::string_view key, double least, double most);
  Endpoint endpoint(std::string_view key, PortZero port_zero);
  std::filesystem::path path(std::string_view key);  // resolved; need not exist
  std::filesystem::path file(std::string_view key);  // resolved; a file that can be read

  // Optional.
  std::string text_or(std::string_view key, std::string fallback);
  bool boolean_or(std::string_view key, bool fallback);
  std::int64_t integer_or(std::string_view key, std::int64_t fallback, std::int64_t least,
                          std::int64_t most);
  std::uint64_t bytes_or(std::string_view key, std::uint64_t fallback, std::uint64_t least);
  // An override lists its items with commas.
  std::vector<std::string> texts_or(std::string_view key, std::vector<std::string> fallback);
  std::string choice_or(std::string_view key, std::string_view fallback,
                        const std::vector<std::string>& choices);
  std::optional<Endpoint> endpoint_if_set(std::string_view key, PortZero port_zero);
  std::optional<std::filesystem::path> file_if_set(std::string_view key);

  bool has(std::string_view key);
  ConfigSection table(std::string_view key);
  bool present() const { return node_ != nullptr; }
  int line() const;  // of its header; 1 when the file does not have it

  // Records a problem at the key's place (key empty: the section's own).
  void problem(std::string_view key, const std::string& sentence);

 private:
  friend class ConfigReader;
  ConfigSection(std::shared_ptr<ConfigState> state, const TomlNode* node, std::string name,
                bool overridable);

  std::string dotted(std::string_view key) const;
  std::optional<ConfigValue> find(std::string_view key);
  std::optional<ConfigValue> require(std::string_view key);
  void wrong(const ConfigValue& value, const std::string& sentence);
  std::optional<std::string> read_text(const ConfigValue& value);
  std::optional<std::filesystem::path> read_file(const ConfigValue& value);
  std::optional<Endpoint> read_endpoint(const ConfigValue& value, PortZero port_zero);

  std::shared_ptr<ConfigState> state_;
  const TomlNode* node_;
  std::string name_;  // "hub", "hub.location", "peer[2]"
  bool overridable_;
};

class ConfigReader {
 public:
  static Result<ConfigReader> open(const std::filesystem::path& file, ConfigOverrides overrides);
  // `name` stands in messages; relative paths resolve against `directory`.
  static Result<ConfigReader> from_text(std::string_view text, std::string name,
                                        std::filesystem::path directory, ConfigOverrides overrides);

  ConfigSection section(std::string_view name);
  std::vector<ConfigSection> list(std::string_view name);

  // Every problem that was recorded, and everything that nobody asked for; ok when there is none.
  Status finish();

 private:
  explicit ConfigReader(std::shared_ptr<ConfigState> state);
  std::shared_ptr<ConfigState> state_;
};

}  // namespace oltp20
