// A spoke's side of its links, and the admin CLI's. One object is one attempt to connect; whoever
// owns it connects again.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "common/base/clock.h"
#include "common/link/link_status.h"
#include "common/link/tls.h"
#include "common/wire/frames.h"

namespace oltp20 {

struct LinkClientOptions {
  std::string endpoint;  // "127.0.0.1:7420"
  std::string hub_name;  // whose certificate is expected there; empty: any hub's
  TlsPaths tls;
};

// Called from the process's one link thread, in order, perhaps before start() has returned; must
// not block. After closed(), which comes once, nothing more is called. The client's destructor
// waits for a call that is under way, so a client must not be destroyed inside one.
//
// closed() says: unavailable (not reached, or ended there, or silent; likely causes listed), denied
// (the hub refuses, or is not the one expected, or its certificate is not believed), invalid (the
// hub sends malformed frames), exhausted (the hub does not read); or what is wrong with the own
// files, as check_certificate_files().
template <typename Down>
class LinkClientHandler {
 public:
  virtual ~LinkClientHandler() = default;
  virtual void opened() = 0;
  virtual void received(Down frame) = 0;
  virtual void closed(const Status& status) = 0;
};

template <typename Up, typename Down>
class LinkClient {
 public:
  using Handler = LinkClientHandler<Down>;

  static std::unique_ptr<LinkClient> start(const LinkClientOptions& options, Handler* handler);
  virtual ~LinkClient() = default;  // ends the link; no call of the handler afterwards
  // Any thread, never waits. What is sent before opened() goes out then; after the end it is lost.
  virtual void send(Up frame) = 0;
  // That many received frames have been taken: reading goes on. Who leaves frames untaken hears of
  // the link's end only after taking them. Any thread.
  virtual void consumed(std::size_t frames) = 0;
  virtual LinkStatus status() = 0;  // any thread
};

using ForwardClient = LinkClient<ForwardUp, ForwardDown>;
using DeliverClient = LinkClient<DeliverUp, DeliverDown>;
template <>
std::unique_ptr<ForwardClient> ForwardClient::start(const LinkClientOptions&, Handler*);
template <>
std::unique_ptr<DeliverClient> DeliverClient::start(const LinkClientOptions&, Handler*);

// Asks a hub. The reply's JSON; `progress` is called with each interim reply. Errors: unavailable
// (not reached, or no answer in time), denied, check_certificate_files(), and whatever the hub
// answers.
Result<std::string> admin_query(const LinkClientOptions& options, const std::string& command,
                                const std::string& arguments_json, Micros timeout_us,
                                const std::function<void(const std::string& json)>& progress);

}  // namespace oltp20
