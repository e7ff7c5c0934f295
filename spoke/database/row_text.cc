#include "spoke/database/row_text.h"

#include "spoke/database/values.h"

namespace oltp20::spoke {
namespace {

constexpr std::string_view kCopyNull = "\\N";

// What COPY would take for itself: its separators and its escape.
void append_escaped(std::string* out, std::string_view text) {
  std::size_t plain = 0;
  for (std::size_t at = 0; at < text.size(); ++at) {
    const char c = text[at];
    if (c != '\\' && c != '\t' && c != '\n' && c != '\r') continue;
    out->append(text, plain, at - plain);
    out->push_back('\\');
    out->push_back(c == '\t' ? 't' : c == '\n' ? 'n' : c == '\r' ? 'r' : '\\');
    plain = at + 1;
  }
  out->append(text, plain);
}

void append_optional(std::string* out, const std::optional<std::string_view>& text) {
  out->push_back('\t');
  if (text) {
    append_escaped(out, *text);
  } else {
    out->append(kCopyNull);
  }
}

std::string& next_element(std::string& array) {
  if (array.size() > 1) array += ',';
  return array;
}

void add_quoted(std::string& array, const std::optional<std::string_view>& text) {
  next_element(array);
  if (!text) {
    array += "NULL";
    return;
  }
  array += '"';
  for (char c : *text) {
    if (c == '"' || c == '\\') array += '\\';
    array += c;
  }
  array += '"';
}

}  // namespace

void CopyLines::begin(const IncomingTransaction& transaction) {
  common_.clear();
  append_escaped(&common_, transaction.origin);
  common_ += '\t';
  common_ += uuid_text(transaction.epoch);
  common_ += '\t';
  common_ += std::to_string(transaction.seq);
  common_ += '\t';
}

void CopyLines::add(const IncomingRow& row) {
  bytes_ += common_;
  bytes_ += std::to_string(row.position);
  bytes_ += '\t';
  bytes_ += uuid_text(row.row.id);
  append_optional(&bytes_, row.row.type);
  bytes_ += '\t';
  if (row.row.date) {
    bytes_ += date_text(*row.row.date);
  } else {
    bytes_ += kCopyNull;
  }
  append_optional(&bytes_, row.row.payload);
  append_optional(&bytes_, row.row.headers);
  append_optional(&bytes_, row.row.destination);
  bytes_ += '\t';
  bytes_ += timestamp_text(row.row.sent_at_us);
  bytes_ += '\n';
}

void RowArrays::add(const IncomingTransaction& transaction, const IncomingRow& row) {
  next_element(columns_[0]) += std::to_string(transaction.seq);
  next_element(columns_[1]) += std::to_string(row.position);
  next_element(columns_[2]) += uuid_text(row.row.id);
  add_quoted(columns_[3], row.row.type);
  next_element(columns_[4]) += row.row.date ? '"' + date_text(*row.row.date) + '"' : "NULL";
  add_quoted(columns_[5], row.row.payload);
  add_quoted(columns_[6], row.row.headers);
  add_quoted(columns_[7], row.row.destination);
  add_quoted(columns_[8], timestamp_text(row.row.sent_at_us));
}

const std::array<std::string, 9>& RowArrays::finish() {
  for (std::string& column : columns_) column += '}';
  return columns_;
}

}  // namespace oltp20::spoke
