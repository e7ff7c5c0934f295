#include "common/link/client.h"

#include <grpcpp/alarm.h>
#include <grpcpp/grpcpp.h>
#include <grpcpp/security/tls_certificate_provider.h>
#include <grpcpp/security/tls_credentials_options.h>

#include <condition_variable>
#include <fstream>
#include <set>
#include <sstream>
#include <thread>

#include "common/link/peer_check.h"
#include "common/link/stream_pump.h"
#include "common/link/verifier.h"
#include "proto/admin.grpc.pb.h"
#include "proto/broker.grpc.pb.h"

namespace oltp20 {
namespace {

std::string content_of(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

std::string seconds_text(Micros duration) {
  std::ostringstream text;
  text << static_cast<double>(duration) / kSecond << " s";
  return text.str();
}

// What a handshake found wrong with the hub; the call itself only says "unavailable".
struct Findings {
  std::mutex mutex;
  std::string text;
};

Status check_hub(const PeerCheck& check, const LinkClientOptions& options, const std::string& pem) {
  Result<CertificateInfo> info = check.check(pem);
  if (!info) return info.status().in("at " + options.endpoint);
  if (info->identity.kind != Identity::Kind::hub)
    return Status(Code::denied, "at " + options.endpoint + " answers " + info->identity.label() +
                                    ", which is not a hub");
  if (!options.hub_name.empty() && info->identity.name != options.hub_name)
    return Status(Code::denied, "at " + options.endpoint + " answers " + info->identity.label() +
                                    ", the configuration expects hub/" + options.hub_name +
                                    ": correct [[hub]] name or endpoint");
  return {};
}

// Reads and checks the certificate files; nothing is connected yet.
Result<std::shared_ptr<grpc::Channel>> channel_to(const LinkClientOptions& options,
                                                  std::shared_ptr<Findings> findings) {
  Result<CertificateInfo> own = check_certificate_files(options.tls);
  if (!own) return own.status();
  auto check =
      std::make_shared<PeerCheck>(options.tls, own->identity.trust_domain, PeerRole::server);
  OLTP20_TRY(check->load());
  silence_library_logs();
  grpc::experimental::IdentityKeyCertPair pair{content_of(options.tls.key),
                                               content_of(options.tls.cert)};
  auto provider = std::make_shared<grpc::experimental::StaticDataCertificateProvider>(
      content_of(options.tls.ca), std::vector<grpc::experimental::IdentityKeyCertPair>{pair});
  grpc::experimental::TlsChannelCredentialsOptions tls;
  tls.set_certificate_provider(provider);
  tls.watch_root_certs();
  tls.watch_identity_key_cert_pairs();
  // OpenSSL proves that the hub has the key; check_hub() decides, so that a refusal has a sentence.
  tls.set_verify_server_certs(false);
  tls.set_check_call_host(false);  // names of machines mean nothing here; the URI name does
  tls.set_certificate_verifier(verifier_of([options, check, findings](const std::string& pem) {
    Status status = check_hub(*check, options, pem);
    std::lock_guard lock(findings->mutex);
    findings->text = status.message();
    return status;
  }));
  grpc::ChannelArguments arguments = common_channel_arguments();
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIME_MS, 10'000);
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, 5'000);
  arguments.SetInt(GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 1);
  return grpc::CreateCustomChannel(options.endpoint, grpc::experimental::TlsCredentials(tls),
                                   arguments);
}

Status translate(const grpc::Status& status, const LinkClientOptions& options,
                 const std::shared_ptr<Findings>& findings) {
  {
    std::lock_guard lock(findings->mutex);
    if (!findings->text.empty()) return Status(Code::denied, findings->text);
  }
  if (status.error_code() == grpc::StatusCode::PERMISSION_DENIED)
    return Status(Code::denied,
                  "the hub at " + options.endpoint + " refuses: " + status.error_message());
  if (status.ok()) return Status(Code::unavailable, "the hub ended the stream");
  return Status(Code::unavailable,
                "the hub at " + options.endpoint + " is not reached (" + status.error_message() +
                    "): it may be down, the endpoint may be wrong, or it may refuse this "
                    "certificate (expired, revoked, of another CA); the hub's log says which");
}

// The one thread on which all clients of the process are called.
class ClientLoop {
 public:
  static std::shared_ptr<ClientLoop> shared() {
    static std::mutex mutex;
    static std::weak_ptr<ClientLoop> current;
    std::lock_guard lock(mutex);
    std::shared_ptr<ClientLoop> loop = current.lock();
    if (!loop) current = loop = std::make_shared<ClientLoop>();
    return loop;
  }

  class Ticker {
   public:
    virtual ~Ticker() = default;
    virtual void tick(Micros now) = 0;
  };

  ClientLoop() : thread_([this] { run(); }) {}
  ~ClientLoop() {
    queue_.Shutdown();
    thread_.join();
  }
  grpc::CompletionQueue* queue() { return &queue_; }
  void add(Ticker* ticker) {
    std::lock_guard lock(mutex_);
    tickers_.insert(ticker);
  }
  // When it returns, `ticker` is not being called.
  void remove(Ticker* ticker) {
    std::lock_guard lock(mutex_);
    tickers_.erase(ticker);
  }

 private:
  void run() {
    Micros tick_at = 0;
    while (true) {
      void* tag = nullptr;
      bool ok = false;
      auto deadline = std::chrono::system_clock::now() + std::chrono::milliseconds(200);
      auto next = queue_.AsyncNext(&tag, &ok, deadline);
      if (next == grpc::CompletionQueue::SHUTDOWN) return;
      if (next == grpc::CompletionQueue::GOT_EVENT) Completion::came_back(tag, ok);
      Micros now = system_clock().monotonic_us();
      if (now < tick_at) continue;
      tick_at = now + 200 * kMillisecond;
      std::lock_guard lock(mutex_);
      for (Ticker* ticker : tickers_) ticker->tick(now);
    }
  }

  grpc::CompletionQueue queue_;
  std::mutex mutex_;
  std::set<Ticker*> tickers_;
  std::thread thread_;
};

template <typename Up, typename UpMessage, typename Down, typename DownMessage>
class Client final : public LinkClient<Up, Down>, public Completion, private ClientLoop::Ticker {
 public:
  using Handler = LinkClientHandler<Down>;
  using Stream = grpc::ClientAsyncReaderWriter<UpMessage, DownMessage>;

  Client(const LinkClientOptions& options, Handler* handler)
      : options_(options),
        handler_(handler),
        loop_(ClientLoop::shared()),
        findings_(std::make_shared<Findings>()) {
    Result<std::shared_ptr<grpc::Channel>> channel = channel_to(options, findings_);
    if (!channel) {
      fail(channel.status());
      return;
    }
    stub_ = v1::Broker::NewStub(*channel);
    if constexpr (std::is_same_v<Up, ForwardUp>) {
      stream_ = stub_->PrepareAsyncForward(&context_, loop_->queue());
    } else {
      stream_ = stub_->PrepareAsyncDeliver(&context_, loop_->queue());
    }
    pump_.emplace(this, stream_.get());
    started_us_ = system_clock().monotonic_us();
    loop_->add(this);
    stream_->StartCall(tag(Op::start));
  }

  ~Client() override {
    loop_->remove(this);
    std::unique_lock lock(mutex_);
    handler_ = nullptr;
    context_.TryCancel();
    if (!starting_) finish();
    ended_.wait(lock,
                [this] { return finished_ && !calling_ && (!pump_ || pump_->outstanding() == 0); });
  }

  void send(Up frame) override {
    std::lock_guard lock(mutex_);
    if (finishing_) return;
    if (pump_->send(std::move(frame))) return;
    cancel(Status(Code::exhausted, "the hub does not read what it is sent"));
  }
  void consumed(std::size_t frames) override {
    std::lock_guard lock(mutex_);
    if (!finishing_) pump_->consumed(frames);
  }
  LinkStatus status() override {
    std::lock_guard lock(mutex_);
    return pump_ ? pump_->status() : LinkStatus{};
  }

 private:
  // Nothing is even begun; the link's thread says so.
  void fail(const Status& status) {
    starting_ = false;
    finishing_ = true;
    reason_ = status;
    alarm_.Set(loop_->queue(), std::chrono::system_clock::now(), tag(Op::finish));
  }
  // All below with mutex_ held.
  void finish() {
    if (std::exchange(finishing_, true)) return;
    pump_->stop();
    stream_->Finish(&result_, tag(Op::finish));
  }
  void cancel(Status reason) {
    reason_ = std::move(reason);
    context_.TryCancel();
    if (!starting_) finish();  // no read may be under way that would notice
  }

  template <typename Call>
  void tell(std::unique_lock<std::mutex>& lock, Call call) {
    Handler* handler = handler_;
    if (!handler) return;
    calling_ = true;
    lock.unlock();
    call(*handler);
    lock.lock();
    calling_ = false;
  }

  void complete(Op op, bool ok) override {
    std::unique_lock lock(mutex_);
    switch (op) {
      case Op::start:
        starting_ = false;
        if (!ok || !handler_) {
          finish();
          break;
        }
        open_ = true;
        pump_->start(system_clock().monotonic_us());
        tell(lock, [](Handler& handler) { handler.opened(); });
        break;
      case Op::read:
        read(lock, ok);
        break;
      case Op::write:
        if (!ok) pump_->stop_writing();  // what the hub said last is still to be read
        pump_->write_done();
        break;
      case Op::finish: {
        Status status = reason_ ? translate(result_, options_, findings_) : reason_;
        tell(lock, [&](Handler& handler) { handler.closed(status); });
        handler_ = nullptr;
        finished_ = true;
        break;
      }
      case Op::done:
      case Op::alarm:
        break;
    }
    // Under the lock: the destructor frees this object as soon as it has the lock again.
    ended_.notify_all();
  }

  void read(std::unique_lock<std::mutex>& lock, bool ok) {
    if (!ok) {
      pump_->read_failed();
      return finish();
    }
    Result<std::optional<Down>> frame = pump_->read_done(system_clock().monotonic_us());
    if (!frame) {
      cancel(Status(Code::invalid, "the hub sends " + frame.status().message()));
    } else if (*frame) {
      tell(lock, [&](Handler& handler) { handler.received(std::move(**frame)); });
    }
  }

  void tick(Micros now) override {
    std::lock_guard lock(mutex_);
    if (finishing_) return;
    bool alive = open_ ? pump_->beat(now) : now - started_us_ < limits::kSilence;
    if (alive) return;
    cancel(Status(Code::unavailable, "nothing came from the hub at " + options_.endpoint +
                                         " for 5 s: the link is dead"));
  }

  const LinkClientOptions options_;
  Handler* handler_;
  const std::shared_ptr<ClientLoop> loop_;
  const std::shared_ptr<Findings> findings_;
  std::unique_ptr<v1::Broker::Stub> stub_;  // null when the certificate files are no good
  grpc::ClientContext context_;
  std::unique_ptr<Stream> stream_;
  std::mutex mutex_;
  std::condition_variable ended_;
  std::optional<StreamPump<Stream, Down, DownMessage, Up, UpMessage>> pump_;
  bool starting_ = true, open_ = false, finishing_ = false, finished_ = false, calling_ = false;
  grpc::Status result_;
  Status reason_;  // why this side ended it
  grpc::Alarm alarm_;
  Micros started_us_ = 0;
};

}  // namespace

template <>
std::unique_ptr<ForwardClient> ForwardClient::start(const LinkClientOptions& options,
                                                    Handler* handler) {
  return std::make_unique<Client<ForwardUp, v1::ForwardUp, ForwardDown, v1::ForwardDown>>(options,
                                                                                          handler);
}

template <>
std::unique_ptr<DeliverClient> DeliverClient::start(const LinkClientOptions& options,
                                                    Handler* handler) {
  return std::make_unique<Client<DeliverUp, v1::DeliverUp, DeliverDown, v1::DeliverDown>>(options,
                                                                                          handler);
}

Result<std::string> admin_query(const LinkClientOptions& options, const std::string& command,
                                const std::string& arguments_json, Micros timeout_us,
                                const std::function<void(const std::string& json)>& progress) {
  auto findings = std::make_shared<Findings>();
  Result<std::shared_ptr<grpc::Channel>> channel = channel_to(options, findings);
  if (!channel) return channel.status();
  auto stub = v1::Admin::NewStub(*channel);
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + std::chrono::microseconds(timeout_us));
  v1::AdminRequest request;
  request.set_command(command);
  request.set_arguments_json(arguments_json);
  auto reader = stub->Watch(&context, request);
  v1::AdminReply reply, last;
  bool answered = false;
  while (reader->Read(&reply)) {
    if (reply.progress()) {
      if (progress) progress(reply.json());
    } else {
      last = reply;
      answered = true;
    }
  }
  grpc::Status status = reader->Finish();
  if (status.error_code() == grpc::StatusCode::DEADLINE_EXCEEDED)
    return Status(Code::unavailable, "the hub at " + options.endpoint + " did not answer within " +
                                         seconds_text(timeout_us) +
                                         ": it may be busy, or the network may lose packets");
  if (!status.ok() || !answered) return translate(status, options, findings);
  if (last.code() == 0) return last.json();
  bool known = last.code() <= static_cast<std::uint32_t>(Code::internal);
  return Status(known ? static_cast<Code>(last.code()) : Code::internal, last.message());
}

}  // namespace oltp20
