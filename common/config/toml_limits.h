// Refuses a TOML text that would exhaust the parser, before the parser sees it.
//
// The parser recurses on nesting and dotted keys, and needs quadratic time for long arrays; a file
// of a person or of a configuration system must not be able to crash or hang a daemon by that.
// Text that is not UTF-8 makes it read outside its buffers (toml11 3.7, in '''strings''').
#pragma once

#include <cstddef>
#include <string_view>

#include "common/base/status.h"

namespace oltp20 {

inline constexpr std::size_t kConfigFileBytes = 256 * 1024;
inline constexpr int kConfigNesting = 16;
inline constexpr int kConfigDotsALine = 32;
inline constexpr int kConfigArrayItems = 4096;

// Errors: invalid, "NAME:LINE: ...".
Status check_toml_limits(std::string_view text, std::string_view name);

}  // namespace oltp20
