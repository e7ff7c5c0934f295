// A configuration given as text, for tests: "test.toml" in the working directory.
#pragma once

#include <filesystem>

#include "common/config/reader.h"

namespace oltp20 {

inline Result<ConfigReader> from_text(std::string_view text, ConfigOverrides overrides = {}) {
  return ConfigReader::from_text(text, "test.toml", std::filesystem::current_path(),
                                 std::move(overrides));
}

}  // namespace oltp20
