// Types of messages and the patterns that match them: words joined by dots; `*` matches one word,
// `>` one or more words at the end.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "common/base/status.h"

namespace oltp20 {

// A type: words of letters, digits, `_` and `-`, joined by dots.
bool is_type(std::string_view text);
// A name of a hub, spoke, region: letters, digits, `_`, `-` and `.`; 1 to 63 bytes.
bool is_name(std::string_view text);
// Whom a row may be addressed to: spoke/NAME or region/NAME.
bool is_destination(std::string_view text);
// Whether `pattern` (a type whose words may be `*`, and whose last may be `>`) is well-formed.
Status check_pattern(std::string_view pattern);

bool subject_matches(std::string_view pattern, std::string_view type);
bool any_subject_matches(const std::vector<std::string>& patterns, std::string_view type);

// Shell-like matching of names: `*` matches any run of characters. For `who` in policy.
bool name_matches(std::string_view glob, std::string_view name);

}  // namespace oltp20
