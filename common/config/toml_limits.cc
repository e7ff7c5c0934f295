#include "common/config/toml_limits.h"

#include <algorithm>
#include <string>

#include "common/base/utf8.h"

namespace oltp20 {
namespace {

// Walks the text outside strings and comments. It need not understand TOML wholly: where it
// misjudges a malformed string it counts too much, never too little, since a string of one line
// ends at the line's end here.
class LimitScanner {
 public:
  LimitScanner(std::string_view text, std::string_view name) : text_(text), name_(name) {}

  Status run() {
    while (at_ < text_.size()) {
      char c = text_[at_];
      if (c == '"' || c == '\'') {
        skip_string(c);
      } else if (c == '#') {
        while (at_ < text_.size() && text_[at_] != '\n') ++at_;
      } else {
        OLTP20_TRY(count(c));
        ++at_;
      }
    }
    return {};
  }

 private:
  Status count(char c) {
    if (c == '\n') {
      ++line_;
      dots_ = 0;
    } else if (c == '[' || c == '{') {
      if (++depth_ > kConfigNesting)
        return bad("brackets are nested deeper than " + std::to_string(kConfigNesting));
    } else if (c == ']' || c == '}') {
      if (depth_ > 0) --depth_;
      if (depth_ == 0) commas_ = 0;
    } else if (c == '.') {
      if (++dots_ > kConfigDotsALine)
        return bad("more than " + std::to_string(kConfigDotsALine) + " dots in one line");
    } else if (c == ',' && depth_ > 0) {
      if (++commas_ > kConfigArrayItems)
        return bad("an array of more than " + std::to_string(kConfigArrayItems) + " items");
    }
    return {};
  }

  void skip_string(char quote) {
    const std::string triple(3, quote);
    bool multiline = text_.substr(at_, 3) == triple;
    at_ += multiline ? 3 : 1;
    while (at_ < text_.size()) {
      char c = text_[at_];
      if (c == '\n') {
        if (!multiline) return;
        ++line_;
      } else if (c == '\\' && quote == '"' && at_ + 1 < text_.size() && text_[at_ + 1] != '\n') {
        ++at_;
      } else if (c == quote && (!multiline || text_.substr(at_, 3) == triple)) {
        at_ += multiline ? 3 : 1;
        // Up to two quotes more belong to a string of several lines, and do not open another.
        for (int more = 0; multiline && more < 2 && text_.substr(at_, 1) == triple.substr(2);
             ++more)
          ++at_;
        return;
      }
      ++at_;
    }
  }

  Status bad(const std::string& what) const {
    return Status(Code::invalid, std::string(name_) + ":" + std::to_string(line_) + ": " + what +
                                     "; no setting needs that, so simplify the line");
  }

  std::string_view text_, name_;
  std::size_t at_ = 0;
  int line_ = 1, depth_ = 0, dots_ = 0, commas_ = 0;
};

}  // namespace

Status check_toml_limits(std::string_view text, std::string_view name) {
  if (text.size() > kConfigFileBytes)
    return Status(Code::invalid, std::string(name) + ":1: the file has " +
                                     std::to_string(text.size()) + " bytes, and at most " +
                                     std::to_string(kConfigFileBytes) +
                                     " are read; is it the right file?");
  if (auto at = find_invalid_utf8(text)) {
    auto line = 1 + std::count(text.begin(), text.begin() + static_cast<std::ptrdiff_t>(*at), '\n');
    return Status(Code::invalid, std::string(name) + ":" + std::to_string(line) +
                                     ": the file is not UTF-8 text; save it as UTF-8");
  }
  return LimitScanner(text, name).run();
}

}  // namespace oltp20
