#include "common/link/verifier.h"

#include <google/protobuf/stubs/logging.h>
#include <grpc/support/log.h>

#include <cstdio>
#include <cstdlib>
#include <string_view>

namespace oltp20 {
namespace {

class Verifier final : public grpc::experimental::ExternalCertificateVerifier {
 public:
  explicit Verifier(std::function<Status(const std::string&)> check) : check_(std::move(check)) {}

  bool Verify(grpc::experimental::TlsCustomVerificationCheckRequest* request,
              std::function<void(grpc::Status)>, grpc::Status* result) override {
    grpc::string_ref pem = request->peer_cert();
    Status status = check_(std::string(pem.data(), pem.size()));
    if (!status) *result = grpc::Status(grpc::StatusCode::UNAUTHENTICATED, status.message());
    return true;  // decided already
  }
  void Cancel(grpc::experimental::TlsCustomVerificationCheckRequest*) override {}

 private:
  const std::function<Status(const std::string&)> check_;
};

void print(gpr_log_func_args* args) {
  std::fprintf(stderr, "grpc: %s\n", args->message);
}
void drop(gpr_log_func_args*) {}

}  // namespace

std::shared_ptr<grpc::experimental::CertificateVerifier> verifier_of(
    std::function<Status(const std::string& pem)> check) {
  return grpc::experimental::ExternalCertificateVerifier::Create<Verifier>(std::move(check));
}

void silence_library_logs() {
  static const bool once = [] {
    const char* wanted = std::getenv("GRPC_VERBOSITY");
    gpr_set_log_function(wanted == nullptr || *wanted == '\0' ? drop : print);
    google::protobuf::SetLogHandler(nullptr);
    return true;
  }();
  (void)once;
}

}  // namespace oltp20
