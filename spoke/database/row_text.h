// Rows of message.incoming as text: lines of COPY, and array literals for a small group. Pure; a
// text must not hold a NUL byte.
#pragma once

#include <array>
#include <string>
#include <string_view>

#include "spoke/core/inbox.h"

namespace oltp20::spoke {

inline constexpr std::array<const char*, 11> kIncomingColumns = {
    "origin", "epoch",   "seq",     "position",    "id",     "type",
    "date",   "payload", "headers", "destination", "sent_at"};

// Appends one line of COPY's text format, with its newline.
class CopyLines {
 public:
  // `bytes` is appended to; lines begin with what all rows of the transaction have in common.
  explicit CopyLines(std::string* bytes) : bytes_(*bytes) {}
  void begin(const IncomingTransaction& transaction);
  void add(const IncomingRow& row);

 private:
  std::string& bytes_;
  std::string common_;
};

// One array literal a column behind `epoch`: seq, position, id, … sent_at.
class RowArrays {
 public:
  RowArrays() { columns_.fill("{"); }
  void add(const IncomingTransaction& transaction, const IncomingRow& row);
  // Closed; nothing is added afterwards.
  const std::array<std::string, 9>& finish();

 private:
  std::array<std::string, 9> columns_;
};

}  // namespace oltp20::spoke
