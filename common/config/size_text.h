// Sizes as people write them: "50GiB", "512 MiB", "1000".
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "common/base/status.h"

namespace oltp20 {

// Bytes. Units: B, KiB, MiB, GiB, TiB (powers of 1024); KB, MB, GB, TB (powers of 1000); none: B.
// Errors: invalid, showing the expected form.
Result<std::uint64_t> parse_size(std::string_view text);

// The shortest exact form: 53687091200 is "50GiB".
std::string size_text(std::uint64_t bytes);

}  // namespace oltp20
