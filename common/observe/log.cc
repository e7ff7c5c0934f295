#include "common/observe/log.h"

#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <ctime>
#include <nlohmann/json.hpp>

namespace oltp20 {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::size_t kMostSubjects = 4096;  // (event, first field) pairs that are told apart
constexpr std::size_t kMostSubjectBytes = 128;
constexpr std::size_t kMostValueBytes = 4096;

std::string_view level_name(LogLevel level) {
  switch (level) {
    case LogLevel::debug:
      return "debug";
    case LogLevel::info:
      return "info";
    case LogLevel::warn:
      return "warn";
    case LogLevel::error:
      return "error";
  }
  return "";
}

std::string time_text(Micros wall_us) {
  std::time_t seconds = static_cast<std::time_t>(wall_us / kSecond);
  std::tm parts{};
  gmtime_r(&seconds, &parts);
  char date[32], out[48];
  std::strftime(date, sizeof date, "%Y-%m-%dT%H:%M:%S", &parts);
  std::snprintf(out, sizeof out, "%s.%06dZ", date, static_cast<int>(wall_us % kSecond));
  return out;
}

Json as_json(const LogField::Value& value) {
  return std::visit(
      [](const auto& v) {
        if constexpr (std::is_same_v<std::decay_t<decltype(v)>, std::string_view>) {
          return Json(std::string(v.substr(0, kMostValueBytes)));
        } else {
          return Json(v);
        }
      },
      value);
}

// Bytes that are not UTF-8 become U+FFFD, so that a line always stays one valid line.
std::string dump(const Json& json) {
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

std::string text_value(const LogField::Value& value) {
  const auto* text = std::get_if<std::string_view>(&value);
  if (text == nullptr) return dump(as_json(value));
  bool plain = !text->empty() && text->size() <= kMostValueBytes;
  for (unsigned char c : *text) plain &= c > ' ' && c < 0x7f && c != '"' && c != '=' && c != '\\';
  return plain ? std::string(*text) : dump(as_json(value));
}

void write_whole(int descriptor, std::string_view line) {
  while (!line.empty()) {
    ssize_t written = ::write(descriptor, line.data(), line.size());
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return;
    line.remove_prefix(static_cast<std::size_t>(written));
  }
}

}  // namespace

Result<LogFormat> parse_log_format(std::string_view text) {
  if (text == "text") return LogFormat::text;
  if (text == "json") return LogFormat::json;
  return Status(Code::invalid,
                "\"" + std::string(text) + "\" is not a log format; write \"text\" or \"json\"");
}

Log::Repeats& Log::repeats_of(LogLevel level, std::string_view event, Fields fields,
                              Micros now_us) {
  std::string key(event);
  std::string subject;
  if (fields.size() > 0) {
    const auto* text = std::get_if<std::string_view>(&fields.begin()->value);
    subject = text != nullptr ? std::string(text->substr(0, kMostSubjectBytes))
                              : text_value(fields.begin()->value);
    key += ' ' + subject;
  }
  if (repeats_.size() >= kMostSubjects && !repeats_.contains(key)) {
    for (auto it = repeats_.begin(); it != repeats_.end();) {
      bool over = now_us - it->second.since_us >= options_.window_us;
      if (over) say_suppressed(it->second);
      it = over ? repeats_.erase(it) : std::next(it);
    }
    if (repeats_.size() >= kMostSubjects) {  // a flood of names: tell only the events apart
      key = event;
      subject.clear();
    }
  }
  Repeats& repeats = repeats_[key];
  repeats.level = level;
  repeats.event = event;
  repeats.subject = subject;
  repeats.subject_key = subject.empty() ? "" : std::string(fields.begin()->key);
  return repeats;
}

void Log::write(LogLevel level, std::string_view event, Fields fields) {
  if (level < options_.least) return;
  std::lock_guard lock(mutex_);
  const Micros now_us = clock_.monotonic_us();
  Repeats& repeats = repeats_of(level, event, fields, now_us);
  if (repeats.written == 0 || now_us - repeats.since_us >= options_.window_us) {
    repeats.since_us = now_us;
    repeats.written = 0;
  }
  if (repeats.written >= options_.burst) {
    ++repeats.suppressed;
    return;
  }
  ++repeats.written;
  emit(level, event, fields, std::exchange(repeats.suppressed, 0));
}

void Log::say_suppressed(Repeats& repeats) {
  if (repeats.suppressed == 0) return;
  std::uint64_t count = std::exchange(repeats.suppressed, 0);
  if (repeats.subject_key.empty()) return emit(repeats.level, repeats.event, {}, count);
  emit(repeats.level, repeats.event, {{repeats.subject_key, repeats.subject}}, count);
}

void Log::flush() {
  std::lock_guard lock(mutex_);
  for (auto& [key, repeats] : repeats_) say_suppressed(repeats);
}

void Log::emit(LogLevel level, std::string_view event, Fields fields, std::uint64_t suppressed) {
  std::string line;
  const std::string time = time_text(clock_.wall_us());
  if (options_.format == LogFormat::text) {
    line = time + ' ' + std::string(level_name(level)) + ' ' + std::string(event);
    for (const LogField& field : fields)
      line += ' ' + std::string(field.key) + '=' + text_value(field.value);
    if (suppressed > 0) line += " suppressed=" + std::to_string(suppressed);
  } else {
    Json json;
    json["time"] = time;
    json["level"] = level_name(level);
    json["event"] = event;
    for (const LogField& field : fields) json.emplace(std::string(field.key), as_json(field.value));
    if (suppressed > 0) json.emplace("suppressed", suppressed);
    line = dump(json);
  }
  write_whole(options_.descriptor, line + '\n');
}

}  // namespace oltp20
