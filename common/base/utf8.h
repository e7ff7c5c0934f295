// Whether bytes are UTF-8, as Unicode defines it: no overlong form, no surrogate, nothing beyond
// U+10FFFF.
#pragma once

#include <optional>
#include <string_view>

namespace oltp20 {

// Where the first byte stands that no character begins with or continues through; nullopt: none.
std::optional<std::size_t> find_invalid_utf8(std::string_view text);

}  // namespace oltp20
