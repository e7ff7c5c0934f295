// Handlers that write down what they are told, and a hub and spokes to test with.
//
// Recorders are thread-safe: link threads write, the test's thread waits and reads.
#pragma once

#include <chrono>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "common/base/limits.h"
#include "common/link/client.h"
#include "common/link/server.h"
#include "tests/common/link/certificates.h"

namespace oltp20::link_test {

using namespace std::chrono_literals;

// Waits until `condition`, called every millisecond, holds. False: it took longer than `limit`.
template <typename Condition>
bool eventually(Condition condition, std::chrono::milliseconds limit = 5s) {
  auto deadline = std::chrono::steady_clock::now() + limit;
  while (!condition()) {
    if (std::chrono::steady_clock::now() > deadline) return false;
    std::this_thread::sleep_for(1ms);
  }
  return true;
}

// A hub's handler. `consume` decides whether received frames are taken at once.
class HubRecorder final : public LinkHandler {
 public:
  struct Link {
    LinkId id = 0;
    LinkKind kind = LinkKind::forward;
    PeerInfo peer;
    std::vector<ForwardUp> forward;
    std::vector<DeliverUp> deliver;
    std::optional<Status> closed;
    bool broken_order = false;  // something came before opened() or after closed()
  };

  void opened(LinkId link, LinkKind kind, const PeerInfo& peer) override;
  void received(LinkId link, ForwardUp frame) override;
  void received(LinkId link, DeliverUp frame) override;
  void closed(LinkId link, const Status& status) override;

  std::size_t count() const;            // links opened so far
  Link link(std::size_t number) const;  // 0 is the first that was opened
  std::size_t open() const;             // links not yet closed

  LinkServer* server = nullptr;  // set before frames come when `consume` or `echo`
  bool consume = true;
  std::chrono::milliseconds pause{0};  // how long each received() takes
  bool echo = false;                   // answers each ForwardBegin with a ForwardAck of its seq

 private:
  Link& at(LinkId link);

  mutable std::mutex mutex_;
  std::vector<Link> links_;
};

template <typename Down>
class SpokeRecorder final : public LinkClientHandler<Down> {
 public:
  void opened() override {
    std::lock_guard lock(mutex_);
    events_ += "opened ";
  }
  void received(Down frame) override {
    std::lock_guard lock(mutex_);
    if (frames_.empty()) events_ += "received ";
    frames_.push_back(std::move(frame));
  }
  void closed(const Status& status) override {
    std::lock_guard lock(mutex_);
    events_ += "closed ";
    closed_ = status;
  }

  std::string events() const {
    std::lock_guard lock(mutex_);
    return events_;
  }
  std::vector<Down> frames() const {
    std::lock_guard lock(mutex_);
    return frames_;
  }
  std::size_t frame_count() const {
    std::lock_guard lock(mutex_);
    return frames_.size();
  }
  std::optional<Status> closed_status() const {
    std::lock_guard lock(mutex_);
    return closed_;
  }
  bool wait_closed(std::chrono::milliseconds limit = 5s) const {
    return eventually([&] { return closed_status().has_value(); }, limit);
  }
  std::string why() const {
    std::lock_guard lock(mutex_);
    return closed_ ? std::string(code_name(closed_->code())) + ": " + closed_->message()
                   : "not closed";
  }

 private:
  mutable std::mutex mutex_;
  std::string events_;
  std::vector<Down> frames_;
  std::optional<Status> closed_;
};
using ForwardRecorder = SpokeRecorder<ForwardDown>;
using DeliverRecorder = SpokeRecorder<DeliverDown>;

// A hub that listens on a port of the system's choice, and remembers whom it turned away.
class Hub {
 public:
  explicit Hub(TlsPaths tls = network().hub, AdminHandler* admin = nullptr,
               const std::string& listen = "127.0.0.1:0");
  ~Hub();

  LinkClientOptions reach(const TlsPaths& as = network().spoke) const;
  LinkServer& server() { return *server_; }
  void stop() { server_.reset(); }
  std::string refusals() const;

  HubRecorder recorder;

 private:
  mutable std::mutex mutex_;
  std::string refusals_;
  std::unique_ptr<LinkServer> server_;
};

}  // namespace oltp20::link_test
