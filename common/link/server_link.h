// One stream of a hub, from the moment that the server waits for it until gRPC has forgotten it.
// Private to common/link.
//
// All calls of the handler come from the completion queue's one thread, so opened, received and
// closed are in order, and a caller of close() is never called back from inside it.
#pragma once

#include <grpcpp/alarm.h>
#include <grpcpp/grpcpp.h>

#include <memory>
#include <mutex>
#include <string>
#include <utility>

#include "common/link/server.h"
#include "common/link/stream_pump.h"
#include "proto/broker.grpc.pb.h"

namespace oltp20 {

struct ForwardTypes {
  static constexpr LinkKind kind = LinkKind::forward;
  using Up = ForwardUp;
  using Down = ForwardDown;
  using UpMessage = v1::ForwardUp;
  using DownMessage = v1::ForwardDown;
};
struct DeliverTypes {
  static constexpr LinkKind kind = LinkKind::deliver;
  using Up = DeliverUp;
  using Down = DeliverDown;
  using UpMessage = v1::DeliverUp;
  using DownMessage = v1::DeliverDown;
};

class ServerLink : public Completion {
 public:
  virtual void send(ForwardDown) {}
  virtual void send(DeliverDown) {}
  virtual void consumed(std::size_t frames) = 0;
  virtual void close(Goodbye goodbye) = 0;  // any thread
  virtual void tick(Micros now) = 0;        // the queue's thread
  virtual LinkStatus status() = 0;          // any thread
  virtual LinkKind kind() const = 0;

  // Set by the queue's thread before the link has its id, then constant.
  PeerInfo peer;
  LinkId id = 0;
};

// What a link needs of its server, which outlives it.
class LinkHost {
 public:
  virtual ~LinkHost() = default;
  virtual grpc::ServerCompletionQueue* queue() = 0;
  virtual v1::Broker::AsyncService& broker() = 0;
  virtual LinkHandler& handler() = 0;
  // Gives the link an id, unless its peer may not have one.
  virtual Status admit(ServerLink* link, const grpc::ServerContextBase& context) = 0;
  virtual void accept(LinkKind kind) = 0;  // waits for the next stream of that kind
  virtual void forget(ServerLink* link) = 0;
};

template <typename Types>
class TypedLink final : public ServerLink {
 public:
  explicit TypedLink(LinkHost* host) : host_(host), stream_(&context_), pump_(this, &stream_) {}
  void wait_for_call();

  void complete(Op op, bool ok) override;
  void send(typename Types::Down frame) override;
  void consumed(std::size_t frames) override;
  void close(Goodbye goodbye) override;
  void tick(Micros now) override;
  LinkStatus status() override {
    std::lock_guard lock(mutex_);
    return pump_.status();
  }
  LinkKind kind() const override { return Types::kind; }

 private:
  using Stream =
      grpc::ServerAsyncReaderWriter<typename Types::DownMessage, typename Types::UpMessage>;
  void started();
  void read(bool ok);
  void written(bool ok);
  void done();
  void end(const Status& status);  // the handler hears of it once, with the first status
  void finish_when_idle();         // with mutex_ held
  bool over() const;               // with mutex_ held: gRPC knows nothing of it any more

  LinkHost* const host_;
  grpc::ServerContext context_;
  Stream stream_;
  grpc::Alarm alarm_;
  bool open_ = false;  // the handler was told; the queue's thread only

  std::mutex mutex_;  // of all below
  StreamPump<Stream, typename Types::Up, typename Types::UpMessage, typename Types::Down,
             typename Types::DownMessage>
      pump_;
  bool closing_ = false;  // the last frame, if any, waits to be written
  bool alarmed_ = false;  // the alarm has not rung yet
  bool finishing_ = false, finished_ = false, done_ = false;
  Status reason_;        // why close() was called
  grpc::Status result_;  // what the peer's gRPC is told
  Micros cancel_at_ = 0;
};

template <typename Types>
void TypedLink<Types>::wait_for_call() {
  context_.AsyncNotifyWhenDone(tag(Op::done));
  grpc::ServerCompletionQueue* queue = host_->queue();
  if constexpr (Types::kind == LinkKind::forward) {
    host_->broker().RequestForward(&context_, &stream_, queue, queue, tag(Op::start));
  } else {
    host_->broker().RequestDeliver(&context_, &stream_, queue, queue, tag(Op::start));
  }
}

template <typename Types>
void TypedLink<Types>::complete(Op op, bool ok) {
  switch (op) {
    case Op::start:
      if (!ok) return host_->forget(this);  // shutting down: `done` never comes
      started();
      break;
    case Op::read:
      read(ok);
      break;
    case Op::write:
      written(ok);
      break;
    case Op::alarm: {
      std::unique_lock lock(mutex_);
      alarmed_ = false;
      Status reason = reason_;
      lock.unlock();
      end(reason);
      break;
    }
    case Op::finish: {
      std::lock_guard lock(mutex_);
      finished_ = true;
      break;
    }
    case Op::done:
      done();
      break;
  }
  bool gone = false;
  {
    std::lock_guard lock(mutex_);
    finish_when_idle();
    gone = over();
  }
  if (gone) host_->forget(this);
}

template <typename Types>
void TypedLink<Types>::started() {
  host_->accept(Types::kind);
  if (Status status = host_->admit(this, context_); !status) {
    std::lock_guard lock(mutex_);
    auto code = status.code() == Code::unavailable ? grpc::StatusCode::UNAVAILABLE
                                                   : grpc::StatusCode::PERMISSION_DENIED;
    result_ = grpc::Status(code, status.message());
    closing_ = true;
    return;
  }
  open_ = true;
  host_->handler().opened(id, Types::kind, peer);
  std::lock_guard lock(mutex_);
  pump_.start(system_clock().monotonic_us());
}

template <typename Types>
void TypedLink<Types>::read(bool ok) {
  std::unique_lock lock(mutex_);
  if (!ok) {
    pump_.read_failed();
    lock.unlock();
    return end(Status(Code::unavailable, "the peer ended the stream"));
  }
  Result<std::optional<typename Types::Up>> frame = pump_.read_done(system_clock().monotonic_us());
  bool deaf = closing_;
  lock.unlock();
  if (deaf) return;
  if (!frame) return close({Code::invalid, "the peer sends " + frame.status().message()});
  if (*frame) host_->handler().received(id, std::move(**frame));
}

template <typename Types>
void TypedLink<Types>::written(bool ok) {
  std::lock_guard lock(mutex_);
  if (!ok) {
    pump_.stop();
    closing_ = true;  // `done` comes and says so
  }
  pump_.write_done();
}

template <typename Types>
void TypedLink<Types>::done() {
  {
    std::lock_guard lock(mutex_);
    done_ = true;
    pump_.stop();  // a last frame that still waited reaches nobody
  }
  end(Status(Code::unavailable, "the peer is gone"));
}

template <typename Types>
void TypedLink<Types>::end(const Status& status) {
  Status first = status;
  {
    std::lock_guard lock(mutex_);
    closing_ = true;
    if (!reason_) first = reason_;
  }
  if (std::exchange(open_, false)) host_->handler().closed(id, first);
}

template <typename Types>
void TypedLink<Types>::finish_when_idle() {
  if (!closing_ || finishing_ || !pump_.idle()) return;
  finishing_ = true;
  pump_.stop();
  stream_.Finish(result_, tag(Op::finish));
}

template <typename Types>
bool TypedLink<Types>::over() const {
  return finished_ && done_ && !alarmed_ && pump_.outstanding() == 0;
}

template <typename Types>
void TypedLink<Types>::send(typename Types::Down frame) {
  bool sent = true;
  {
    std::lock_guard lock(mutex_);
    if (closing_) return;
    sent = pump_.send(std::move(frame));
  }
  if (!sent) close({Code::exhausted, "the peer does not read what it is sent"});
}

template <typename Types>
void TypedLink<Types>::consumed(std::size_t frames) {
  std::lock_guard lock(mutex_);
  if (!closing_) pump_.consumed(frames);
}

template <typename Types>
void TypedLink<Types>::close(Goodbye goodbye) {
  std::lock_guard lock(mutex_);
  if (closing_) return;
  closing_ = true;
  reason_ = Status(goodbye.code == Code::ok ? Code::unavailable : goodbye.code, goodbye.reason);
  cancel_at_ = system_clock().monotonic_us() + 2 * kSecond;
  pump_.send_last(std::move(goodbye));
  alarmed_ = true;
  alarm_.Set(host_->queue(), std::chrono::system_clock::now(), tag(Op::alarm));
}

template <typename Types>
void TypedLink<Types>::tick(Micros now) {
  {
    std::lock_guard lock(mutex_);
    if (cancel_at_ != 0 && now >= cancel_at_) {
      cancel_at_ = 0;
      context_.TryCancel();
    }
    if (!open_ || closing_ || pump_.beat(now)) return;
  }
  end(Status(Code::unavailable, "nothing came from the peer for 5 s: the link is dead"));
  context_.TryCancel();
}

}  // namespace oltp20
