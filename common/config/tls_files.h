// The [tls] section, which hub and spoke share: where the certificate and its company are.
#pragma once

#include <filesystem>
#include <optional>

#include "common/config/reader.h"

namespace oltp20 {

struct TlsFiles {
  std::filesystem::path ca, cert, key;
  std::optional<std::filesystem::path> crl;
};

// Each file named must be there and readable; what is in them is for the certificate check.
inline TlsFiles read_tls_files(ConfigSection tls) {
  return {tls.file("ca"), tls.file("cert"), tls.file("key"), tls.file_if_set("crl")};
}

}  // namespace oltp20
