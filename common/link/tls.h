// Certificates: who we are, whom we trust, and who was revoked. gRPC-free.
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <set>
#include <string>

#include "common/base/identity.h"
#include "common/base/status.h"

namespace oltp20 {

// PEM files. `crl` may be empty.
struct TlsPaths {
  std::string ca, cert, key, crl;
};

struct CertificateInfo {
  Identity identity;
  std::int64_t not_after_s = 0;  // since 1970-01-01 UTC
  std::string serial_hex;
};

// Reads and checks all of them. Errors: not_found (a file is missing), invalid (not PEM, key and
// certificate do not belong together, not one URI name), denied (expired, not yet valid, not signed
// by the CA, revoked); each names the file, the reason and the remedy.
Result<CertificateInfo> check_certificate_files(const TlsPaths& paths);

// What a PEM certificate says, without trusting it.
Result<CertificateInfo> read_certificate(const std::string& pem);

// Whether to believe the certificate of a peer that has proved to have its key: issued by the CA
// (the file is read anew, it may hold several), in force now, fit for the role, one URI name.
// Errors: invalid, denied; not_found (the CA file).
enum class PeerRole { client, server };
Result<CertificateInfo> check_peer_certificate(const std::string& pem, const std::string& ca_path,
                                               PeerRole role);

// From now on this process neither offers nor accepts anything below TLS 1.3. Call before the first
// link is made. Errors: internal.
Status require_tls13();

// The serial numbers that a revocation list names. Thread-safe.
class RevokedCertificates {
 public:
  // An empty path: nobody is revoked. Errors: not_found, invalid; the old list stays in force.
  // The list's signature is checked against the CA.
  Status load(const std::string& crl_path, const std::string& ca_path);
  bool contains(const std::string& serial_hex) const;

 private:
  mutable std::mutex mutex_;
  std::set<std::string> serials_;
};

}  // namespace oltp20
