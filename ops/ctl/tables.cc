#include "ops/ctl/tables.h"

#include <algorithm>
#include <cstdio>
#include <ctime>
#include <nlohmann/json.hpp>
#include <vector>

namespace oltp20::ctl {
namespace {

using nlohmann::json;
using Row = std::vector<std::string>;

std::string text(const json& value) {
  if (value.is_null()) return "-";
  if (value.is_string()) return value.get<std::string>();
  if (value.is_number_float()) {
    char out[32];
    std::snprintf(out, sizeof(out), "%.3f", value.get<double>());
    return out;
  }
  if (value.is_array()) {
    std::string out;
    for (const json& item : value) out += (out.empty() ? "" : " ") + text(item);
    return out.empty() ? "-" : out;
  }
  return value.dump();
}

std::string field(const json& object, const char* key) {
  return object.contains(key) ? text(object[key]) : "-";
}

std::string time_text(const json& object, const char* key, std::int64_t per_second) {
  if (!object.contains(key)) return "-";
  std::int64_t value = object[key].get<std::int64_t>();
  std::time_t seconds = value / per_second;
  std::tm parts{};
  gmtime_r(&seconds, &parts);
  char out[40];
  std::strftime(out, sizeof(out), "%Y-%m-%d %H:%M:%S", &parts);
  if (per_second == 1) return out;
  char fraction[16];
  std::snprintf(fraction, sizeof(fraction), ".%03d",
                static_cast<int>(value % per_second * 1000 / per_second));
  return std::string(out) + fraction;
}

std::string draw(const std::vector<Row>& rows) {
  std::vector<std::size_t> widths;
  for (const Row& row : rows)
    for (std::size_t i = 0; i < row.size(); ++i) {
      if (i >= widths.size()) widths.push_back(0);
      widths[i] = std::max(widths[i], row[i].size());
    }
  std::string out;
  for (const Row& row : rows) {
    std::string line;
    for (std::size_t i = 0; i < row.size(); ++i) {
      line += row[i];
      if (i + 1 < row.size()) line += std::string(widths[i] - row[i].size() + 2, ' ');
    }
    out += line + "\n";
  }
  return out;
}

std::string list(const json& items, const Row& header, Row (*row)(const json&)) {
  std::vector<Row> rows = {header};
  for (const json& item : items) rows.push_back(row(item));
  return draw(rows);
}

Row spoke_row(const json& spoke) {
  const json none = json::object();
  // Of who is away only the lag is known.
  const json& deliver = spoke.contains("deliver") ? spoke["deliver"]
                        : spoke.contains("away")  ? spoke["away"]
                                                  : none;
  return {field(spoke, "name"),          spoke.contains("forward") ? "yes" : "no",
          field(spoke, "journaled_seq"), spoke.contains("deliver") ? "yes" : "no",
          field(deliver, "applied_lsn"), field(deliver, "lag_transactions"),
          field(deliver, "lag_seconds"), field(deliver, "subscribe"),
          field(deliver, "narrowed")};
}

Row entry_row(const json& entry) {
  return {field(entry, "lsn"),   time_text(entry, "received_us", 1'000'000),
          field(entry, "kind"),  field(entry, "origin"),
          field(entry, "seq"),   field(entry, "rows"),
          field(entry, "bytes"), field(entry, "types")};
}

Row rule_row(const json& rule) {
  return {field(rule, "who"), field(rule, "publish"), field(rule, "subscribe"),
          field(rule, "admin")};
}

Row certificate_row(const json& certificate) {
  return {field(certificate, "who"), time_text(certificate, "expires", 1),
          field(certificate, "serial"), field(certificate, "uri")};
}

void flatten(const json& object, const std::string& prefix, std::vector<Row>* rows) {
  for (const auto& [key, value] : object.items()) {
    if (value.is_object()) {
      flatten(value, prefix + key + ".", rows);
    } else if (key == "certificate_expires") {
      rows->push_back({prefix + key, time_text(object, key.c_str(), 1)});
    } else {
      rows->push_back({prefix + key, text(value)});
    }
  }
}

std::string verify_text(const json& report) {
  std::string out = "incarnation " + field(report, "incarnation") + ": " +
                    field(report, "entries") + " entries, lsn " + field(report, "from") + " to " +
                    field(report, "to") + ": " +
                    (report.value("sound", false) ? "sound" : "DAMAGED") + "\n";
  if (report.contains("findings"))
    for (const json& finding : report["findings"])
      out += "  lsn " + field(finding, "lsn") + " " + field(finding, "kind") + ": " +
             field(finding, "sentence") + "\n";
  return out;
}

}  // namespace

std::string table_of(const std::string& command, const std::string& answer) {
  json document = json::parse(answer, nullptr, false);
  if (document.is_discarded()) return answer + "\n";
  if (command == "spokes list" || command == "lag")
    return list(document,
                {"SPOKE", "SENDS", "JOURNALED", "RECEIVES", "APPLIED", "LAG", "LAG_S", "SUBSCRIBES",
                 "NARROWED"},
                spoke_row);
  if (command == "journal tail")
    return list(document, {"LSN", "RECEIVED", "KIND", "ORIGIN", "SEQ", "ROWS", "BYTES", "TYPES"},
                entry_row);
  if (command == "policy show")
    return list(document, {"WHO", "PUBLISH", "SUBSCRIBE", "ADMIN"}, rule_row);
  if (command == "certs list")
    return list(document, {"WHO", "EXPIRES", "SERIAL", "NAME"}, certificate_row);
  if (command == "journal verify") return verify_text(document);
  if (!document.is_object()) return document.dump(2) + "\n";
  std::vector<Row> rows;
  flatten(document, "", &rows);
  return draw(rows);
}

}  // namespace oltp20::ctl
