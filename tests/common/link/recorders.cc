#include "tests/common/link/recorders.h"

#include <stdexcept>

namespace oltp20::link_test {

HubRecorder::Link& HubRecorder::at(LinkId id) {
  for (Link& link : links_)
    if (link.id == id) return link;
  Link stranger;
  stranger.id = id;
  stranger.broken_order = true;
  links_.push_back(stranger);
  return links_.back();
}

void HubRecorder::opened(LinkId id, LinkKind kind, const PeerInfo& peer) {
  std::lock_guard lock(mutex_);
  Link link;
  link.id = id;
  link.kind = kind;
  link.peer = peer;
  links_.push_back(std::move(link));
}

void HubRecorder::received(LinkId id, ForwardUp frame) {
  const auto* begin = std::get_if<ForwardBegin>(&frame);
  Seq seq = begin ? begin->base.seq : 0;
  {
    std::lock_guard lock(mutex_);
    Link& link = at(id);
    if (link.closed) link.broken_order = true;
    link.forward.push_back(std::move(frame));
  }
  std::this_thread::sleep_for(pause);
  if (consume) server->consumed(id, 1);
  if (echo && begin) server->send(id, ForwardAck{seq, 0, {}, 0});
}

void HubRecorder::received(LinkId id, DeliverUp frame) {
  {
    std::lock_guard lock(mutex_);
    Link& link = at(id);
    if (link.closed) link.broken_order = true;
    link.deliver.push_back(std::move(frame));
  }
  if (consume) server->consumed(id, 1);
}

void HubRecorder::closed(LinkId id, const Status& status) {
  std::lock_guard lock(mutex_);
  Link& link = at(id);
  if (link.closed) link.broken_order = true;
  link.closed = status;
}

std::size_t HubRecorder::count() const {
  std::lock_guard lock(mutex_);
  return links_.size();
}

HubRecorder::Link HubRecorder::link(std::size_t number) const {
  std::lock_guard lock(mutex_);
  return number < links_.size() ? links_[number] : Link();
}

std::size_t HubRecorder::open() const {
  std::lock_guard lock(mutex_);
  std::size_t open = 0;
  for (const Link& link : links_) open += link.closed ? 0 : 1;
  return open;
}

Hub::Hub(TlsPaths tls, AdminHandler* admin, const std::string& listen) {
  LinkServerOptions options;
  options.listen = listen;
  options.tls = std::move(tls);
  options.trust_domain = "oltp20.test";
  options.refused = [this](const std::string& who, const std::string& reason) {
    std::lock_guard lock(mutex_);
    refusals_ += who + ": " + reason + "\n";
  };
  Result<std::unique_ptr<LinkServer>> started =
      LinkServer::start(std::move(options), &recorder, admin);
  if (!started) throw std::runtime_error(started.status().message());
  server_ = std::move(*started);
  recorder.server = server_.get();
}

Hub::~Hub() {
  server_.reset();
}

LinkClientOptions Hub::reach(const TlsPaths& as) const {
  return {server_->address(), "h1", as};
}

std::string Hub::refusals() const {
  std::lock_guard lock(mutex_);
  return refusals_;
}

}  // namespace oltp20::link_test
