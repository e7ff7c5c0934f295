#include "common/base/identity.h"

#include <vector>

#include "common/base/subject.h"

namespace oltp20 {
namespace {

std::string_view kind_word(Identity::Kind kind) {
  switch (kind) {
    case Identity::Kind::hub:
      return "hub";
    case Identity::Kind::spoke:
      return "spoke";
    case Identity::Kind::admin:
      return "admin";
  }
  return "";
}

Status bad(std::string_view uri) {
  return Status(
      Code::invalid,
      "the certificate's name \"" + std::string(uri) +
          "\" is not one of ours: expected spiffe://TRUST-DOMAIN/region/REGION/spoke/NAME, "
          ".../region/REGION/hub/NAME or spiffe://TRUST-DOMAIN/admin/NAME; "
          "issue it with certs/issue");
}

}  // namespace

std::string Identity::label() const {
  return std::string(kind_word(kind)) + "/" + name;
}

std::string Identity::uri() const {
  std::string out = "spiffe://" + trust_domain;
  if (kind != Kind::admin) out += "/region/" + region;
  return out + "/" + label();
}

Result<Identity> parse_identity(std::string_view uri) {
  constexpr std::string_view scheme = "spiffe://";
  if (uri.substr(0, scheme.size()) != scheme) return bad(uri);
  std::vector<std::string_view> words;
  for (std::string_view rest = uri.substr(scheme.size());;) {
    std::size_t slash = rest.find('/');
    words.push_back(rest.substr(0, slash));
    if (slash == std::string_view::npos) break;
    rest.remove_prefix(slash + 1);
  }
  for (std::string_view word : words)
    if (!is_name(word)) return bad(uri);

  Identity id;
  id.trust_domain = words[0];
  if (words.size() == 3 && words[1] == "admin") {
    id.kind = Identity::Kind::admin;
    id.name = words[2];
    return id;
  }
  if (words.size() != 5 || words[1] != "region") return bad(uri);
  id.region = words[2];
  id.name = words[4];
  if (words[3] == "hub") {
    id.kind = Identity::Kind::hub;
  } else if (words[3] == "spoke") {
    id.kind = Identity::Kind::spoke;
  } else {
    return bad(uri);
  }
  return id;
}

}  // namespace oltp20
