// Frames compared field by field, so that a field which the wire form forgets is seen.
#pragma once

#include <tuple>

#include "common/wire/frames.h"

namespace oltp20 {

inline auto fields(const ForwardHello& f) {
  return std::tie(f.protocol, f.spoke, f.epoch, f.ancestors, f.stable, f.tip, f.agent);
}
inline auto fields(const ForwardBegin& f) {
  return std::tie(f.base);
}
inline auto fields(const ForwardParts& f) {
  return std::tie(f.parts);
}
inline auto fields(const Heartbeat& f) {
  return std::tie(f.sent_us, f.echo_us, f.echo_age_us);
}
inline auto fields(const Goodbye& f) {
  return std::tie(f.code, f.reason);
}
inline auto fields(const ForwardWelcome& f) {
  return std::tie(f.hub, f.incarnation, f.knows_epoch, f.held, f.window_bytes);
}
inline auto fields(const ForwardAck& f) {
  return std::tie(f.journaled, f.stable, f.chain, f.consumed_bytes);
}
inline auto fields(const ReceiptException& f) {
  return std::tie(f.kind, f.from, f.to, f.code, f.reason);
}
inline auto fields(const Receipt& f) {
  return std::tie(f.origin, f.epoch, f.base, f.seq, f.held_to, f.held_reason, f.exceptions);
}
inline auto fields(const DestinationReceipt& f) {
  return std::tie(f.destination, f.region, f.database, f.receipt);
}
inline auto fields(const ForwardReceipts& f) {
  return std::tie(f.receipts);
}
inline auto fields(const DeliverReceipts& f) {
  return std::tie(f.first, f.last, f.receipts);
}
inline auto fields(const ForwardRefusal& f) {
  return std::tie(f.seq, f.code, f.reason);
}
inline auto fields(const DeliverHello& f) {
  return std::tie(f.protocol, f.spoke, f.agent, f.database, f.subscribe, f.start_now, f.positions,
                  f.window_bytes);
}
inline auto fields(const DeliverKnown& f) {
  return std::tie(f.known, f.last);
}
inline auto fields(const DeliverAck& f) {
  return std::tie(f.consumed_bytes, f.applied, f.durable);
}
inline auto fields(const DeliverWelcome& f) {
  return std::tie(f.hub, f.incarnation, f.from, f.restarted, f.trimmed_to, f.narrowed);
}
inline auto fields(const DeliverRun& f) {
  return std::tie(f.lsn, f.origin, f.life, f.base);
}
inline auto fields(const DeliverSpan& f) {
  return std::tie(f.origin, f.epoch, f.from, f.to);
}
inline auto fields(const DeliverPart& f) {
  return std::tie(f.lsn, f.prev, f.content, f.received_us, *f.bytes);
}
inline auto fields(const DeliverBatch& f) {
  return std::tie(f.items, f.complete, f.position);
}

template <typename Frame>
requires requires(const Frame& f) {
  fields(f);
}
bool operator==(const Frame& a, const Frame& b) {
  return fields(a) == fields(b);
}

}  // namespace oltp20
