// Between PostgreSQL's text forms and our types. Pure; input comes from the server, with the
// session's settings pinned. std::runtime_error (which guard() turns into a Status) says what could
// not be read.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "common/base/ids.h"

namespace oltp20::spoke {

// "3f2504e0-4f89-41d3-9a0c-0305e82c3301" from and to 16 bytes.
std::string uuid_text(std::string_view sixteen_bytes);
std::string uuid_bytes(std::string_view text);
template <typename Tag>
std::string uuid_text(const Opaque<16, Tag>& id) {
  return uuid_text(id.view());
}
template <typename Id>
Id id_of_uuid(std::string_view text) {
  return Id::from(uuid_bytes(text));
}

// "\x0a1b…", bytea's text form.
std::string bytea_text(std::string_view raw);
std::string bytea_bytes(std::string_view text);

// Microseconds since 1970-01-01 UTC and timestamptz, exactly. Written as a PostgreSQL literal; read
// from ISO text in UTC ("2021-06-10 12:34:56.789+00").
std::string timestamp_text(std::int64_t us);
std::int64_t timestamp_us(std::string_view text);

// Days since 2000-01-01 (INT32_MIN, INT32_MAX: -infinity, infinity) as a date literal.
std::string date_text(std::int32_t days);

// "{1,2,3}"
template <typename Numbers>
std::string array_text(const Numbers& numbers) {
  std::string out = "{";
  for (auto number : numbers) {
    if (out.size() > 1) out += ',';
    out += std::to_string(number);
  }
  return out + "}";
}

}  // namespace oltp20::spoke
