#include "spoke/database/values.h"

#include <charconv>
#include <chrono>
#include <limits>
#include <stdexcept>

namespace oltp20::spoke {

namespace {

using std::chrono::day;
using std::chrono::days;
using std::chrono::month;
using std::chrono::sys_days;
using std::chrono::year;
using std::chrono::year_month_day;

[[noreturn]] void unreadable(const char* what, std::string_view text) {
  throw std::runtime_error(std::string("cannot read ") + what + " '" + std::string(text) + "'");
}

// At least `width` digits. (printf costs more than all the rest of a row.)
void append_number(std::string* out, std::int64_t value, std::size_t width) {
  char digits[20];
  std::size_t count = 0;
  for (; value > 0 || count < width; value /= 10)
    digits[count++] = static_cast<char>('0' + value % 10);
  while (count > 0) out->push_back(digits[--count]);
}

// "YYYY-MM-DD" with PostgreSQL's "BC" for years before 1; years may have more than four digits.
// Days are counted here and not by std::chrono, whose years end at 32767.
std::string civil_text(std::int64_t days_since_1970, std::string_view suffix) {
  const std::int64_t shifted = days_since_1970 + 719468;  // from 0000-03-01
  const std::int64_t era = (shifted >= 0 ? shifted : shifted - 146096) / 146097;
  const std::int64_t of_era = shifted - era * 146097;
  const std::int64_t year_of_era =
      (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
  const std::int64_t of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
  const std::int64_t shifted_month = (5 * of_year + 2) / 153;
  const std::int64_t day = of_year - (153 * shifted_month + 2) / 5 + 1;
  const std::int64_t month = shifted_month < 10 ? shifted_month + 3 : shifted_month - 9;
  std::int64_t year = year_of_era + era * 400 + (month <= 2 ? 1 : 0);
  const bool before_christ = year <= 0;
  if (before_christ) year = 1 - year;
  std::string text;
  text.reserve(48);
  append_number(&text, year, 4);
  text += '-';
  append_number(&text, month, 2);
  text += '-';
  append_number(&text, day, 2);
  text += suffix;
  if (before_christ) text += " BC";
  return text;
}

}  // namespace

std::string uuid_text(std::string_view raw) {
  static constexpr char kDigits[] = "0123456789abcdef";
  std::string text;
  text.reserve(36);
  for (std::size_t i = 0; i < raw.size(); ++i) {
    if (i == 4 || i == 6 || i == 8 || i == 10) text += '-';
    const auto byte = static_cast<unsigned char>(raw[i]);
    text += kDigits[byte >> 4];
    text += kDigits[byte & 15];
  }
  return text;
}

std::string uuid_bytes(std::string_view text) {
  std::string raw;
  raw.reserve(16);
  int high = -1;
  for (char c : text) {
    if (c == '-') continue;
    const int digit = c >= '0' && c <= '9'   ? c - '0'
                      : c >= 'a' && c <= 'f' ? c - 'a' + 10
                      : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                             : -1;
    if (digit < 0) unreadable("uuid", text);
    if (high < 0) {
      high = digit;
    } else {
      raw.push_back(static_cast<char>(high << 4 | digit));
      high = -1;
    }
  }
  if (raw.size() != 16 || high >= 0) unreadable("uuid", text);
  return raw;
}

std::string bytea_text(std::string_view raw) {
  return "\\x" + to_hex(raw);
}

std::string bytea_bytes(std::string_view text) {
  auto raw = text.starts_with("\\x") ? from_hex(text.substr(2)) : std::nullopt;
  if (!raw) unreadable("bytea", text.substr(0, 20));
  return *raw;
}

std::string timestamp_text(std::int64_t us) {
  constexpr std::int64_t kDay = 86'400'000'000;
  std::int64_t whole = us / kDay, rest = us % kDay;
  if (rest < 0) {
    rest += kDay;
    --whole;
  }
  std::string time = " ";
  append_number(&time, rest / 3'600'000'000, 2);
  time += ':';
  append_number(&time, rest / 60'000'000 % 60, 2);
  time += ':';
  append_number(&time, rest / 1'000'000 % 60, 2);
  time += '.';
  append_number(&time, rest % 1'000'000, 6);
  time += "+00";
  return civil_text(whole, time);
}

std::int64_t timestamp_us(std::string_view text) {
  int field[6] = {};
  std::string_view left = text;
  for (int i = 0; i < 6; ++i) {
    auto [end, error] = std::from_chars(left.data(), left.data() + left.size(), field[i]);
    if (error != std::errc{}) unreadable("timestamp", text);
    left.remove_prefix(static_cast<std::size_t>(end - left.data()));
    if (i < 5) {
      if (left.empty() || left[0] != (i < 2 ? '-' : i == 2 ? ' ' : ':'))
        unreadable("timestamp", text);
      left.remove_prefix(1);
    }
  }
  std::int64_t fraction = 0;
  if (left.starts_with('.')) {
    left.remove_prefix(1);
    std::int64_t unit = 100'000;
    while (!left.empty() && left[0] >= '0' && left[0] <= '9') {
      fraction += (left[0] - '0') * unit;
      unit /= 10;
      left.remove_prefix(1);
    }
  }
  if (left != "+00" || field[0] > 32767) unreadable("timestamp", text);
  const sys_days date = year_month_day(year(field[0]), month(static_cast<unsigned>(field[1])),
                                       day(static_cast<unsigned>(field[2])));
  const std::int64_t seconds = date.time_since_epoch() / days(1) * std::int64_t{86'400} +
                               field[3] * 3600 + field[4] * 60 + field[5];
  return seconds * 1'000'000 + fraction;
}

std::string date_text(std::int32_t day_number) {
  if (day_number == std::numeric_limits<std::int32_t>::min()) return "-infinity";
  if (day_number == std::numeric_limits<std::int32_t>::max()) return "infinity";
  return civil_text(std::int64_t{day_number} + 10957, "");
}

}  // namespace oltp20::spoke
