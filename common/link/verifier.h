// A function of ours as gRPC's certificate verifier, and its libraries' chatter. Private to
// common/link.
#pragma once

#include <grpcpp/security/tls_certificate_verifier.h>

#include <functional>
#include <memory>
#include <string>

#include "common/base/status.h"

namespace oltp20 {

// `check` is given the peer's certificate in each handshake, in gRPC's threads, and may outlive the
// server or channel for a moment: it owns what it uses.
std::shared_ptr<grpc::experimental::CertificateVerifier> verifier_of(
    std::function<Status(const std::string& pem)> check);

// gRPC writes lines of its own to stderr about each handshake and each port that it cannot have,
// and Protobuf about each string of a peer that is not UTF-8, where logs have another form and a
// limit; what matters in them is said by our verifier, by Server::listen() and by the refusal of
// the frame. With GRPC_VERBOSITY set (error, info, debug) gRPC's are printed. Idempotent.
void silence_library_logs();

}  // namespace oltp20
