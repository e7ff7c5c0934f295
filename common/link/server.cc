#include "common/link/server.h"

#include <grpcpp/security/tls_certificate_provider.h>
#include <grpcpp/security/tls_credentials_options.h>

#include <atomic>
#include <map>
#include <thread>
#include <vector>

#include "common/base/mutex.h"
#include "common/link/admin_service.h"
#include "common/link/listen_error.h"
#include "common/link/peer_check.h"
#include "common/link/server_link.h"
#include "common/link/verifier.h"

namespace oltp20 {
namespace {

std::string readable_address(const std::string& grpc_peer) {
  std::size_t colon = grpc_peer.find(':');  // "ipv4:127.0.0.1:4000", "ipv6:%5B::1%5D:4000"
  return colon == std::string::npos ? grpc_peer : grpc_peer.substr(colon + 1);
}

// Who comes in. Shared with handshakes, which may end a moment after the server.
class Door {
 public:
  explicit Door(const LinkServerOptions& options)
      : check_(options.tls, options.trust_domain, PeerRole::client), refused_(options.refused) {}

  Status load() { return check_.load(); }
  bool revoked(const PeerInfo& peer) const { return check_.revoked(peer.serial_hex); }

  Status handshake(const std::string& pem) {
    Result<CertificateInfo> info = check_.check(pem);
    if (info) return {};
    refuse("a peer", info.status().message());
    return info.status();
  }
  Result<PeerInfo> peer_of(const grpc::ServerContextBase& context) {
    std::string address = readable_address(context.peer());
    auto pems = context.auth_context()->FindPropertyValues("x509_pem_cert");
    std::string pem = pems.size() == 1 ? std::string(pems[0].data(), pems[0].size()) : "";
    Result<CertificateInfo> info = check_.check(pem);
    if (info)
      return PeerInfo{info->identity, std::move(address), info->serial_hex, info->not_after_s};
    refuse(address, info.status().message());
    return info.status();
  }
  void refuse(const std::string& who, const std::string& why) {
    MutexLock lock(mutex_);
    if (refused_) refused_(who, why);
  }
  // When it returns, `refused` is not being called, and never will be.
  void shut() {
    MutexLock lock(mutex_);
    refused_ = nullptr;
  }

 private:
  PeerCheck check_;
  Mutex mutex_;
  std::function<void(const std::string&, const std::string&)> refused_ OLTP20_GUARDED_BY(mutex_);
};

class Server final : public LinkServer, public LinkHost {
 public:
  Server(LinkServerOptions options, LinkHandler* handler, AdminHandler* admin)
      : options_(std::move(options)),
        handler_(handler),
        door_(std::make_shared<Door>(options_)),
        admin_(admin, [door = door_](const auto& context) { return door->peer_of(context); }) {}
  ~Server() override { shutdown(kSecond); }

  Status listen();

  std::string address() const override { return address_; }
  void send(LinkId link, ForwardDown frame) override {
    if (auto found = find(link)) found->send(std::move(frame));
  }
  void send(LinkId link, DeliverDown frame) override {
    if (auto found = find(link)) found->send(std::move(frame));
  }
  void consumed(LinkId link, std::size_t frames) override {
    if (auto found = find(link)) found->consumed(frames);
  }
  void close(LinkId link, Goodbye goodbye) override {
    if (auto found = find(link)) found->close(std::move(goodbye));
  }
  void close_if(const std::function<bool(const PeerInfo&)>& which, Goodbye goodbye) override {
    for (auto& link : named())
      if (which(link->peer)) link->close(goodbye);
  }
  std::vector<Attached> links() override {
    std::vector<Attached> out;
    for (auto& link : named()) out.push_back({link->peer, link->kind(), link->status()});
    return out;
  }
  Status reload() override {
    OLTP20_TRY(door_->load());
    close_if([this](const PeerInfo& peer) { return door_->revoked(peer); },
             {Code::denied, "this certificate is revoked"});
    return {};
  }
  void shutdown(Micros grace) override;

 private:
  using Links = std::vector<std::shared_ptr<ServerLink>>;

  grpc::ServerCompletionQueue* queue() override { return queue_.get(); }
  v1::Broker::AsyncService& broker() override { return broker_; }
  LinkHandler& handler() override { return *handler_; }
  Status admit(ServerLink* link, const grpc::ServerContextBase& context) override;
  void accept(LinkKind kind) override;
  void forget(ServerLink* link) override;

  template <typename Types>
  void accept_one();
  std::shared_ptr<ServerLink> find(LinkId id);
  Links named();
  std::shared_ptr<grpc::ServerCredentials> credentials();
  void run();

  const LinkServerOptions options_;
  LinkHandler* const handler_;
  const std::shared_ptr<Door> door_;
  AdminService admin_;
  v1::Broker::AsyncService broker_;
  std::unique_ptr<grpc::ServerCompletionQueue> queue_;
  std::unique_ptr<grpc::Server> server_;
  std::string address_;
  Mutex mutex_;
  Condition none_left_;
  // Also those that wait for a call.
  std::map<ServerLink*, std::shared_ptr<ServerLink>> links_ OLTP20_GUARDED_BY(mutex_);
  std::map<LinkId, std::shared_ptr<ServerLink>> by_id_ OLTP20_GUARDED_BY(mutex_);
  LinkId last_id_ OLTP20_GUARDED_BY(mutex_) = 0;
  bool stopping_ OLTP20_GUARDED_BY(mutex_) = false;
  std::thread thread_;
};

std::shared_ptr<ServerLink> Server::find(LinkId id) {
  MutexLock lock(mutex_);
  auto at = by_id_.find(id);
  return at == by_id_.end() ? nullptr : at->second;
}

Server::Links Server::named() {
  MutexLock lock(mutex_);
  Links out;
  for (auto& [id, link] : by_id_) out.push_back(link);
  return out;
}

void Server::accept(LinkKind kind) {
  if (kind == LinkKind::forward) return accept_one<ForwardTypes>();
  accept_one<DeliverTypes>();
}

template <typename Types>
void Server::accept_one() {
  auto link = std::make_shared<TypedLink<Types>>(this);
  {
    MutexLock lock(mutex_);
    if (stopping_) return;
    links_[link.get()] = link;
  }
  link->wait_for_call();
}

Status Server::admit(ServerLink* link, const grpc::ServerContextBase& context) {
  Result<PeerInfo> peer = door_->peer_of(context);
  if (!peer) return peer.status();
  if (peer->identity.kind != Identity::Kind::spoke) {
    std::string who = peer->identity.label();
    Status status(Code::denied, who + " may not open this stream: spokes do");
    door_->refuse(who, status.message());
    return status;
  }
  {
    MutexLock lock(mutex_);
    if (stopping_) return Status(Code::unavailable, "the hub is stopping");
    link->peer = *peer;
    link->id = ++last_id_;
    by_id_[link->id] = links_[link];
  }
  // Again, now that reload() sees the link: a revocation between the two would be missed.
  if (!door_->revoked(*peer)) return {};
  MutexLock lock(mutex_);
  by_id_.erase(link->id);
  return Status(Code::denied, "this certificate is revoked");
}

void Server::forget(ServerLink* link) {
  std::shared_ptr<ServerLink> last;  // freed without the lock
  MutexLock lock(mutex_);
  by_id_.erase(link->id);
  auto at = links_.find(link);
  last = std::move(at->second);
  links_.erase(at);
  if (links_.empty()) none_left_.notify_all();
}

std::shared_ptr<grpc::ServerCredentials> Server::credentials() {
  auto provider = std::make_shared<grpc::experimental::FileWatcherCertificateProvider>(
      options_.tls.key, options_.tls.cert, options_.tls.ca, 1);
  grpc::experimental::TlsServerCredentialsOptions tls(provider);
  tls.watch_root_certs();
  tls.watch_identity_key_cert_pairs();
  // OpenSSL proves that the peer has the key; whether we believe its certificate is Door's
  // decision alone, so that each refusal has a sentence.
  tls.set_cert_request_type(GRPC_SSL_REQUEST_AND_REQUIRE_CLIENT_CERTIFICATE_BUT_DONT_VERIFY);
  tls.set_certificate_verifier(
      verifier_of([door = door_](const std::string& pem) { return door->handshake(pem); }));
  return grpc::experimental::TlsServerCredentials(tls);
}

Status Server::listen() {
  silence_library_logs();
  OLTP20_TRY(door_->load());
  grpc::ServerBuilder builder;
  int port = 0;
  builder.AddListeningPort(options_.listen, credentials(), &port);
  builder.RegisterService(&broker_);
  builder.RegisterService(&admin_);
  builder.SetMaxReceiveMessageSize(static_cast<int>(2 * limits::kFrameBytes));
  builder.SetMaxSendMessageSize(static_cast<int>(2 * limits::kFrameBytes));
  builder.AddChannelArgument(GRPC_ARG_ALLOW_REUSEPORT, 0);
  builder.AddChannelArgument(GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS, 5000);
  builder.SetSyncServerOption(grpc::ServerBuilder::NUM_CQS, 1);
  builder.SetSyncServerOption(grpc::ServerBuilder::MIN_POLLERS, 1);
  builder.SetSyncServerOption(grpc::ServerBuilder::MAX_POLLERS, 2);
  queue_ = builder.AddCompletionQueue();
  server_ = builder.BuildAndStart();
  if (!server_ || port == 0) {
    server_.reset();
    queue_->Shutdown();
    void* tag = nullptr;
    for (bool ok = false; queue_->Next(&tag, &ok);) {
    }
    return Status(Code::unavailable, "cannot listen on " + options_.listen + ": " +
                                         why_not_bound(options_.listen) +
                                         ". Stop what is on this port (ss -ltnp shows it; another "
                                         "hub?), or change [hub] listen");
  }
  address_ = options_.listen.substr(0, options_.listen.rfind(':') + 1) + std::to_string(port);
  accept(LinkKind::forward);
  accept(LinkKind::deliver);
  thread_ = std::thread([this] { run(); });
  return {};
}

void Server::run() {
  Micros tick_at = 0;
  while (true) {
    void* tag = nullptr;
    bool ok = false;
    auto deadline = std::chrono::system_clock::now() + std::chrono::milliseconds(200);
    auto next = queue_->AsyncNext(&tag, &ok, deadline);
    if (next == grpc::CompletionQueue::SHUTDOWN) return;
    if (next == grpc::CompletionQueue::GOT_EVENT) Completion::came_back(tag, ok);
    Micros now = system_clock().monotonic_us();
    if (now < tick_at) continue;
    tick_at = now + 200 * kMillisecond;
    for (auto& link : named()) link->tick(now);
  }
}

void Server::shutdown(Micros grace) {
  {
    MutexLock lock(mutex_);
    if (std::exchange(stopping_, true) || !server_) return;
  }
  for (auto& link : named()) link->close({Code::unavailable, "the hub is stopping"});
  server_->Shutdown(std::chrono::system_clock::now() + std::chrono::microseconds(grace));
  {
    // Links still hear that their calls are over, and answer: the queue must live until then.
    MutexLock lock(mutex_);
    while (!links_.empty()) none_left_.wait(mutex_);
  }
  queue_->Shutdown();
  thread_.join();
  door_->shut();
}

}  // namespace

Result<std::unique_ptr<LinkServer>> LinkServer::start(LinkServerOptions options,
                                                      LinkHandler* handler, AdminHandler* admin) {
  Result<CertificateInfo> own = check_certificate_files(options.tls);
  if (!own) return own.status();
  auto server = std::make_unique<Server>(std::move(options), handler, admin);
  OLTP20_TRY(server->listen());
  return std::unique_ptr<LinkServer>(std::move(server));
}

}  // namespace oltp20
