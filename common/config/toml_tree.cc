#include "common/config/toml_tree.h"

#include <sstream>
#include <toml.hpp>

#include "common/config/toml_limits.h"

namespace oltp20 {
namespace {

TomlNode convert(const toml::value& value) {
  TomlNode out;
  out.line = static_cast<int>(value.location().line());
  switch (value.type()) {
    case toml::value_t::boolean:
      out.kind = TomlNode::Kind::boolean;
      out.boolean = value.as_boolean();
      break;
    case toml::value_t::integer:
      out.kind = TomlNode::Kind::integer;
      out.integer = value.as_integer();
      break;
    case toml::value_t::floating:
      out.kind = TomlNode::Kind::real;
      out.real = value.as_floating();
      break;
    case toml::value_t::string:
      out.kind = TomlNode::Kind::text;
      out.text = value.as_string().str;
      break;
    case toml::value_t::array:
      out.kind = TomlNode::Kind::array;
      for (const auto& item : value.as_array()) out.items.push_back(convert(item));
      break;
    case toml::value_t::table:
      for (const auto& [key, field] : value.as_table()) out.fields.emplace(key, convert(field));
      break;
    default:
      out.kind = TomlNode::Kind::time;
  }
  return out;
}

// The parser's own report is a drawing of several lines; its first line, without the names of
// functions, is the sentence, and its marks ("value defined twice") say what the sentence leaves
// open.
std::string sentence_of(std::string_view report) {
  std::string_view first = report.substr(0, report.find('\n'));
  if (std::size_t colon = first.find(": "); colon != std::string_view::npos)
    first.remove_prefix(colon + 2);
  std::string out(first);
  for (std::size_t at = 0; at < report.size();) {
    std::size_t end = std::min(report.find('\n', at), report.size());
    std::string_view line = report.substr(at, end - at);
    at = end + 1;
    if (std::size_t bar = line.find(" |"); bar != std::string_view::npos) {
      std::size_t mark = line.find_first_not_of(' ', bar + 2);
      if (mark == std::string_view::npos || (line[mark] != '^' && line[mark] != '~')) continue;
      std::size_t words = line.find_first_not_of("^~- ", mark);
      if (words == std::string_view::npos) continue;
      out += (out.empty() ? "" : "; ") + std::string(line.substr(words));
    }
  }
  return out;
}

}  // namespace

std::string_view kind_name(TomlNode::Kind kind) {
  switch (kind) {
    case TomlNode::Kind::boolean:
      return "a boolean";
    case TomlNode::Kind::integer:
      return "an integer";
    case TomlNode::Kind::real:
      return "a number with a fraction";
    case TomlNode::Kind::text:
      return "a string";
    case TomlNode::Kind::array:
      return "an array";
    case TomlNode::Kind::table:
      return "a table";
    case TomlNode::Kind::time:
      return "a date or time";
  }
  return "";
}

Result<TomlNode> parse_toml(std::string_view text, std::string_view name) {
  OLTP20_TRY(check_toml_limits(text, name));
  if (text.find('\0') != std::string_view::npos)
    return Status(Code::invalid,
                  std::string(name) + ":1: the file is not text; is it the right file?");
  std::istringstream stream{std::string(text)};
  try {
    return convert(toml::parse(stream, std::string(name)));
  } catch (const toml::exception& error) {
    return Status(Code::invalid, std::string(name) + ":" + std::to_string(error.location().line()) +
                                     ": " + sentence_of(error.what()) + "; correct this line");
  } catch (const std::exception& error) {
    return Status(Code::invalid,
                  std::string(name) + ":1: the file is not valid TOML: " + error.what());
  }
}

}  // namespace oltp20
