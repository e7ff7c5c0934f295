// A peer that does not use our client: any certificate, any bytes.
#pragma once

#include <grpcpp/grpcpp.h>
#include <grpcpp/security/tls_certificate_provider.h>
#include <grpcpp/security/tls_credentials_options.h>

#include <memory>
#include <string>
#include <vector>

#include "proto/admin.grpc.pb.h"
#include "proto/broker.grpc.pb.h"
#include "tests/common/link/certificates.h"

namespace oltp20::link_test {

// Believes any server.
inline std::shared_ptr<grpc::Channel> raw_channel(const std::string& endpoint, const TlsPaths& as) {
  using namespace grpc::experimental;
  class Trusting final : public ExternalCertificateVerifier {
   public:
    bool Verify(TlsCustomVerificationCheckRequest*, std::function<void(grpc::Status)>,
                grpc::Status*) override {
      return true;
    }
    void Cancel(TlsCustomVerificationCheckRequest*) override {}
  };
  IdentityKeyCertPair own{file_text(as.key), file_text(as.cert)};
  TlsChannelCredentialsOptions tls;
  tls.set_certificate_provider(std::make_shared<StaticDataCertificateProvider>(
      file_text(as.ca), std::vector<IdentityKeyCertPair>{own}));
  tls.watch_root_certs();
  tls.watch_identity_key_cert_pairs();
  tls.set_verify_server_certs(false);
  tls.set_check_call_host(false);
  tls.set_certificate_verifier(ExternalCertificateVerifier::Create<Trusting>());
  grpc::ChannelArguments arguments;
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  return grpc::CreateCustomChannel(endpoint, TlsCredentials(tls), arguments);
}

// Opens Forward with that certificate and waits for the end: what gRPC says of it.
inline grpc::Status try_forward(const std::shared_ptr<grpc::Channel>& channel) {
  auto stub = v1::Broker::NewStub(channel);
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(3));
  auto stream = stub->Forward(&context);
  v1::ForwardDown frame;
  while (stream->Read(&frame)) {
  }
  return stream->Finish();
}

}  // namespace oltp20::link_test
