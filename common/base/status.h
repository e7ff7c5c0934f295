// Status and Result<T>: the one error type inside OLTP 2.0.
//
// Foreign errors (gRPC codes, libpqxx exceptions, RocksDB statuses) are translated into a Status
// once, at the adapter. The message is a sentence for the person who has to act: it names the
// thing, the reason and the remedy.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "common/base/check.h"

namespace oltp20 {

enum class Code {
  ok,
  invalid,  // malformed input, wrong usage or configuration
  not_found,
  unavailable,  // the other side cannot be reached now; try again later
  denied,       // identity or policy says no
  conflict,     // the other side's state contradicts ours
  corrupt,      // stored or received bytes are not what they were
  exhausted,    // a limit, a disk or a quota is full
  internal,     // a fault of ours or of a library, not of the input
};

// The name of a code as logs, metrics and frames show it.
std::string_view code_name(Code code);

class [[nodiscard]] Status {
 public:
  Status() = default;
  Status(Code code, std::string message) : code_(code), message_(std::move(message)) {
    CHECK(code != Code::ok);
  }

  bool is_ok() const { return code_ == Code::ok; }
  explicit operator bool() const { return is_ok(); }
  Code code() const { return code_; }
  const std::string& message() const { return message_; }

  // The same error, with where it happened put in front of the sentence.
  Status in(std::string_view context) const {
    if (is_ok()) return *this;
    return Status(code_, std::string(context) + ": " + message_);
  }

 private:
  Code code_ = Code::ok;
  std::string message_;
};

// A value, or the Status that says why there is none.
template <typename T>
class [[nodiscard]] Result {
 public:
  Result(T value) : value_(std::move(value)) {}         // NOLINT: implicit on purpose
  Result(Status status) : status_(std::move(status)) {  // NOLINT: implicit on purpose
    CHECK(!status_.is_ok());
  }

  bool is_ok() const { return value_.has_value(); }
  explicit operator bool() const { return is_ok(); }
  const Status& status() const { return status_; }
  T& value() {
    CHECK(value_.has_value());
    return *value_;
  }
  const T& value() const {
    CHECK(value_.has_value());
    return *value_;
  }
  T& operator*() { return value(); }
  const T& operator*() const { return value(); }
  T* operator->() { return &value(); }
  const T* operator->() const { return &value(); }

 private:
  std::optional<T> value_;
  Status status_;
};

}  // namespace oltp20

// Returns the Status of `expression` to the caller unless it is ok.
#define OLTP20_TRY(expression)                                                               \
  do {                                                                                       \
    if (::oltp20::Status oltp20_status = (expression); !oltp20_status) return oltp20_status; \
  } while (false)
