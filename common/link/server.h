// LinkServer: a hub's side of its links. gRPC with mutual TLS 1.3 behind a small interface.
//
// Identity is the one URI name of the peer's certificate. The link itself sends and checks
// heartbeats: a link on which nothing moves for limits::kSilence is dead. Reading is bounded: at
// most limits::kStreamInflight frames of a link are handed over and not yet consumed().
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "common/base/clock.h"
#include "common/link/link_status.h"
#include "common/link/tls.h"
#include "common/wire/frames.h"

namespace oltp20 {

using LinkId = std::uint64_t;
enum class LinkKind { forward, deliver };

struct PeerInfo {
  Identity identity;
  std::string address;  // "127.0.0.1:40000"
  std::string serial_hex;
  std::int64_t not_after_s = 0;
};

// Called from the server's one link thread, in order, never from inside a call of LinkServer; must
// not block for long.
class LinkHandler {
 public:
  virtual ~LinkHandler() = default;
  virtual void opened(LinkId link, LinkKind kind, const PeerInfo& peer) = 0;
  virtual void received(LinkId link, ForwardUp frame) = 0;
  virtual void received(LinkId link, DeliverUp frame) = 0;
  // Exactly once for each link that was opened, and last.
  virtual void closed(LinkId link, const Status& status) = 0;
};

// Called on one of a few threads of its own; may block.
class AdminHandler {
 public:
  virtual ~AdminHandler() = default;
  struct Reply {
    Status status;
    std::string json;
  };
  virtual Reply query(const PeerInfo& who, const std::string& command,
                      const std::string& arguments_json,
                      const std::function<void(const std::string& json)>& progress) = 0;
};

struct LinkServerOptions {
  std::string listen;  // "127.0.0.1:7420"; port 0: the system chooses
  TlsPaths tls;
  std::string trust_domain;  // of which peers must be
  // Somebody was turned away: "spoke/NAME", an address or, in a handshake, "a peer", and why.
  // Called from gRPC's threads, one at a time.
  std::function<void(const std::string& who, const std::string& reason)> refused;
};

class LinkServer {
 public:
  // `handler` and `admin` must outlive the server. Errors: unavailable (the port is in use),
  // invalid; as check_certificate_files().
  static Result<std::unique_ptr<LinkServer>> start(LinkServerOptions options, LinkHandler* handler,
                                                   AdminHandler* admin);
  virtual ~LinkServer() = default;  // shutdown()

  virtual std::string address() const = 0;  // really bound
  // Any thread, never waits. A link that is unknown or closed is ignored.
  virtual void send(LinkId link, ForwardDown frame) = 0;
  virtual void send(LinkId link, DeliverDown frame) = 0;
  virtual void consumed(LinkId link, std::size_t frames) = 0;
  // The goodbye is the last that the peer gets; what was not written yet is dropped. closed()
  // follows.
  virtual void close(LinkId link, Goodbye goodbye) = 0;
  virtual void close_if(const std::function<bool(const PeerInfo&)>& which, Goodbye goodbye) = 0;
  // Who is attached, and how the links are. Any thread.
  struct Attached {
    PeerInfo peer;
    LinkKind kind = LinkKind::forward;
    LinkStatus status;
  };
  virtual std::vector<Attached> links() = 0;
  // Reads the revocation list again and ends the links of whoever is on it. Certificates, keys and
  // the CA are watched and need no call. Errors: as RevokedCertificates::load().
  virtual Status reload() = 0;
  // Ends all links, by force after `grace`; when it returns no handler is or will be called. Waits
  // for an admin handler that is at work.
  virtual void shutdown(Micros grace) = 0;
};

}  // namespace oltp20
