// Why an address could not be listened on: gRPC tells only its log.
#pragma once

#include <string>

namespace oltp20 {

// Tries "host:port" by itself, and gives it back at once. By then it may be free again, which is
// said, too. Words, without a full stop.
std::string why_not_bound(const std::string& listen);

}  // namespace oltp20
