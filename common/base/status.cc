#include "common/base/status.h"

namespace oltp20 {

std::string_view code_name(Code code) {
  switch (code) {
    case Code::ok:
      return "ok";
    case Code::invalid:
      return "invalid";
    case Code::not_found:
      return "not_found";
    case Code::unavailable:
      return "unavailable";
    case Code::denied:
      return "denied";
    case Code::conflict:
      return "conflict";
    case Code::corrupt:
      return "corrupt";
    case Code::exhausted:
      return "exhausted";
    case Code::internal:
      return "internal";
  }
  return "unknown";
}

}  // namespace oltp20
