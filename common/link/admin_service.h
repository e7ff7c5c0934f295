// The admin service of a hub, over gRPC's synchronous API: few calls, which may block. Private to
// common/link.
#pragma once

#include <grpcpp/grpcpp.h>

#include <functional>
#include <string>

#include "common/link/server.h"
#include "proto/admin.grpc.pb.h"

namespace oltp20 {

class AdminService final : public v1::Admin::Service {
 public:
  using Who = std::function<Result<PeerInfo>(const grpc::ServerContextBase&)>;

  // `who` says whose call it is, or refuses. `handler` may be null: nobody answers.
  AdminService(AdminHandler* handler, Who who) : handler_(handler), who_(std::move(who)) {}

  grpc::Status Query(grpc::ServerContext* context, const v1::AdminRequest* request,
                     v1::AdminReply* reply) override {
    return answer(
        *context, *request, [](const std::string&) {}, reply);
  }
  grpc::Status Watch(grpc::ServerContext* context, const v1::AdminRequest* request,
                     grpc::ServerWriter<v1::AdminReply>* writer) override {
    v1::AdminReply last;
    auto progress = [&](const std::string& json) {
      v1::AdminReply reply;
      reply.set_json(json);
      reply.set_progress(true);
      writer->Write(reply);
    };
    grpc::Status status = answer(*context, *request, progress, &last);
    if (status.ok()) writer->Write(last);
    return status;
  }

 private:
  grpc::Status answer(const grpc::ServerContext& context, const v1::AdminRequest& request,
                      const std::function<void(const std::string&)>& progress,
                      v1::AdminReply* reply) {
    Result<PeerInfo> peer = who_(context);
    if (!peer) return grpc::Status(grpc::StatusCode::PERMISSION_DENIED, peer.status().message());
    if (!handler_)
      return grpc::Status(grpc::StatusCode::PERMISSION_DENIED, "this hub has no admin service");
    AdminHandler::Reply answer =
        handler_->query(*peer, request.command(), request.arguments_json(), progress);
    reply->set_code(static_cast<std::uint32_t>(answer.status.code()));
    reply->set_message(answer.status.message());
    reply->set_json(answer.json);
    return grpc::Status::OK;
  }

  AdminHandler* const handler_;
  const Who who_;
};

}  // namespace oltp20
