// Answers of a hub as tables for people.
#pragma once

#include <string>

namespace oltp20::ctl {

// `command` decides the columns. JSON that this program does not know how to draw comes back
// indented.
std::string table_of(const std::string& command, const std::string& json);

}  // namespace oltp20::ctl
