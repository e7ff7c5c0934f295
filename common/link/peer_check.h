// PeerCheck: whether a peer is believed. Runs in every handshake, also of resumed sessions, and
// again when a stream is opened, since a connection may be older than a revocation. gRPC-free.
//
// Thread-safe.
#pragma once

#include <string>

#include "common/link/tls.h"

namespace oltp20 {

class PeerCheck {
 public:
  // Peers play `role` and must be of `trust_domain`.
  PeerCheck(TlsPaths tls, std::string trust_domain, PeerRole role)
      : tls_(std::move(tls)), trust_domain_(std::move(trust_domain)), role_(role) {}

  // Reads the revocation list; without it nobody is revoked. Errors: as RevokedCertificates.
  Status load() { return revoked_.load(tls_.crl, tls_.ca); }

  // Errors: as check_peer_certificate(); denied (another trust domain, revoked).
  Result<CertificateInfo> check(const std::string& pem) const {
    Result<CertificateInfo> info = check_peer_certificate(pem, tls_.ca, role_);
    if (!info) return info;
    std::string name = "the peer's certificate " + info->identity.uri();
    if (info->identity.trust_domain != trust_domain_)
      return Status(Code::denied, name + " is of another trust domain than " + trust_domain_);
    if (revoked_.contains(info->serial_hex)) return Status(Code::denied, name + " is revoked");
    return info;
  }
  bool revoked(const std::string& serial_hex) const { return revoked_.contains(serial_hex); }

 private:
  const TlsPaths tls_;
  const std::string trust_domain_;
  const PeerRole role_;
  RevokedCertificates revoked_;
};

}  // namespace oltp20
