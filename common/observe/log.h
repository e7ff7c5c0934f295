// Log: one line an event on stderr.
//
// Threads: any. A line is one write, so lines of several threads never mix. Errors: none reach the
// caller; a line that cannot be written is lost. Repeats of an event with the same first field are
// limited to `burst` lines in `window_us`; the next line that is written says how many were left
// out (suppressed=N), and flush() and the destructor say it for events that never came again.
#pragma once

#include <concepts>
#include <cstdint>
#include <initializer_list>
#include <map>
#include <mutex>
#include <string>
#include <string_view>
#include <variant>

#include "common/base/clock.h"
#include "common/base/status.h"

namespace oltp20 {

enum class LogLevel { debug, info, warn, error };
enum class LogFormat { text, json };

// Errors: invalid, listing the choices of --log-format.
Result<LogFormat> parse_log_format(std::string_view text);

struct LogField {
  using Value = std::variant<bool, std::int64_t, std::uint64_t, double, std::string_view>;

  LogField(std::string_view k, bool v) : key(k), value(v) {}
  LogField(std::string_view k, std::signed_integral auto v)
      : key(k), value(static_cast<std::int64_t>(v)) {}
  LogField(std::string_view k,
           std::unsigned_integral auto v) requires(!std::same_as<decltype(v), bool>)
      : key(k), value(static_cast<std::uint64_t>(v)) {}
  LogField(std::string_view k, double v) : key(k), value(v) {}
  LogField(std::string_view k, std::string_view v) : key(k), value(v) {}
  LogField(std::string_view k, const std::string& v) : key(k), value(std::string_view(v)) {}
  LogField(std::string_view k, const char* v) : key(k), value(std::string_view(v)) {}

  std::string_view key;
  Value value;  // borrowed until the call returns
};

struct LogOptions {
  LogFormat format = LogFormat::text;
  LogLevel least = LogLevel::info;
  int burst = 20;
  Micros window_us = 10 * kSecond;
  int descriptor = 2;  // where to write; not closed
};

class Log {
 public:
  using Fields = std::initializer_list<LogField>;

  // `clock` must outlive the log.
  Log(LogOptions options, const Clock& clock) : options_(options), clock_(clock) {}
  ~Log() { flush(); }
  Log(const Log&) = delete;
  Log& operator=(const Log&) = delete;

  // `event` is a constant word such as "spoke_attached".
  void write(LogLevel level, std::string_view event, Fields fields);
  void debug(std::string_view event, Fields fields) { write(LogLevel::debug, event, fields); }
  void info(std::string_view event, Fields fields) { write(LogLevel::info, event, fields); }
  void warn(std::string_view event, Fields fields) { write(LogLevel::warn, event, fields); }
  void error(std::string_view event, Fields fields) { write(LogLevel::error, event, fields); }
  // Says what was left out and not yet said.
  void flush();

 private:
  struct Repeats {
    Micros since_us = 0;
    int written = 0;
    std::uint64_t suppressed = 0;
    LogLevel level = LogLevel::info;
    std::string event, subject_key, subject;
  };

  Repeats& repeats_of(LogLevel level, std::string_view event, Fields fields, Micros now_us);
  void say_suppressed(Repeats& repeats);
  void emit(LogLevel level, std::string_view event, Fields fields, std::uint64_t suppressed);

  const LogOptions options_;
  const Clock& clock_;
  std::mutex mutex_;  // guards repeats_
  std::map<std::string, Repeats> repeats_;
};

}  // namespace oltp20
