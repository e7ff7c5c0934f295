#include "common/link/convert.h"

#include "common/base/overloaded.h"

namespace oltp20 {
namespace {

template <typename Id>
std::string raw(const Id& id) {
  return std::string(id.view());
}

// Reads fields of a fixed size, and remembers whether one had another.
class Fields {
 public:
  template <typename Id>
  Id id(const std::string& bytes) {
    if (bytes.size() != Id::size) ok_ = false;
    return Id::from(bytes);
  }
  template <typename Id>
  Id id_or_none(const std::string& bytes) {
    return bytes.empty() ? Id{} : id<Id>(bytes);
  }
  ChainPosition chain_position(const v1::ChainPosition& in) {
    return {in.seq(), id_or_none<Hash>(in.chain())};
  }
  StreamPosition stream_position(const v1::StreamPosition& in) {
    return {id<Incarnation>(in.incarnation()), in.lsn(), id<Hash>(in.hash())};
  }
  EpochInfo epoch_info(const v1::EpochInfo& in) {
    return {id<Epoch>(in.id()), id_or_none<Epoch>(in.parent()), chain_position(in.fork())};
  }
  void bad() { ok_ = false; }
  bool ok() const { return ok_; }

 private:
  bool ok_ = true;
};

Status malformed(const char* frame) {
  return Status(Code::invalid, std::string("a malformed ") + frame + " frame");
}

void write(const ChainPosition& in, v1::ChainPosition* out) {
  out->set_seq(in.seq);
  out->set_chain(raw(in.chain));
}
void write(const StreamPosition& in, v1::StreamPosition* out) {
  out->set_incarnation(raw(in.incarnation));
  out->set_lsn(in.lsn);
  out->set_hash(raw(in.hash));
}
void write(const EpochInfo& in, v1::EpochInfo* out) {
  out->set_id(raw(in.id));
  if (!in.parent.is_zero()) out->set_parent(raw(in.parent));
  write(in.fork, out->mutable_fork());
}
void write(const Heartbeat& in, v1::Heartbeat* out) {
  out->set_sent_us(in.sent_us);
  out->set_echo_us(in.echo_us);
  out->set_echo_age_us(in.echo_age_us);
}
void write(const Goodbye& in, v1::Goodbye* out) {
  out->set_code(static_cast<std::uint32_t>(in.code));
  out->set_reason(in.reason);
}
Heartbeat read(const v1::Heartbeat& in) {
  return {in.sent_us(), in.echo_us(), in.echo_age_us()};
}
Goodbye read(const v1::Goodbye& in) {
  bool known = in.code() > 0 && in.code() <= static_cast<std::uint32_t>(Code::internal);
  return {known ? static_cast<Code>(in.code()) : Code::unavailable, in.reason()};
}

void write(const Receipt& in, v1::Receipt* out) {
  out->set_origin(in.origin);
  out->set_epoch(raw(in.epoch));
  out->set_base(in.base);
  out->set_seq(in.seq);
  out->set_held_to(in.held_to);
  out->set_held_reason(in.held_reason);
  for (const ReceiptException& exception : in.exceptions) {
    auto* to = out->add_exceptions();
    to->set_kind(static_cast<std::uint32_t>(exception.kind));
    to->set_from(exception.from);
    to->set_to(exception.to);
    to->set_code(exception.code);
    to->set_reason(exception.reason);
  }
}
Receipt read(const v1::Receipt& in, Fields& fields) {
  Receipt out{in.origin(),
              fields.id<Epoch>(in.epoch()),
              in.base(),
              in.seq(),
              in.held_to(),
              in.held_reason(),
              {}};
  for (const auto& exception : in.exceptions()) {
    auto kind = static_cast<ReceiptException::Kind>(exception.kind());
    if (exception.kind() < 1 || exception.kind() > 3) fields.bad();
    out.exceptions.push_back(
        {kind, exception.from(), exception.to(), exception.code(), exception.reason()});
  }
  return out;
}

void write(const DeliverItem& item, v1::DeliverDown::Item* out) {
  std::visit(Overloaded{
                 [&](const DeliverPart& part) {
                   auto* to = out->mutable_part();
                   to->set_lsn(part.lsn);
                   to->set_prev(part.prev);
                   to->set_content(raw(part.content));
                   to->set_received_us(part.received_us);
                   to->set_bytes(*part.bytes);
                 },
                 [&](const DeliverRun& run) {
                   auto* to = out->mutable_run();
                   to->set_lsn(run.lsn);
                   to->set_origin(run.origin);
                   write(run.life, to->mutable_life());
                   write(run.base, to->mutable_base());
                 },
                 [&](const DeliverSpan& span) {
                   auto* to = out->mutable_span();
                   to->set_origin(span.origin);
                   to->set_epoch(raw(span.epoch));
                   to->set_from(span.from);
                   to->set_to(span.to);
                 },
             },
             item);
}

std::optional<DeliverItem> read(v1::DeliverDown::Item* in, Fields& fields) {
  if (in->has_part()) {
    auto* part = in->mutable_part();
    auto bytes = std::make_shared<const std::string>(std::move(*part->mutable_bytes()));
    return DeliverPart{part->lsn(), part->prev(), fields.id<Hash>(part->content()),
                       part->received_us(), std::move(bytes)};
  }
  if (in->has_run())
    return DeliverRun{in->run().lsn(), in->run().origin(), fields.epoch_info(in->run().life()),
                      fields.chain_position(in->run().base())};
  if (in->has_span())
    return DeliverSpan{in->span().origin(), fields.id<Epoch>(in->span().epoch()), in->span().from(),
                       in->span().to()};
  return std::nullopt;
}

}  // namespace

void to_wire(const ForwardUp& frame, v1::ForwardUp* out) {
  std::visit(
      Overloaded{
          [&](const ForwardHello& f) {
            auto* to = out->mutable_hello();
            to->set_protocol(f.protocol);
            to->set_spoke(f.spoke);
            write(f.epoch, to->mutable_epoch());
            for (const EpochInfo& ancestor : f.ancestors) write(ancestor, to->add_ancestors());
            write(f.stable, to->mutable_stable());
            to->set_tip(f.tip);
            to->set_agent(f.agent);
          },
          [&](const ForwardBegin& f) { write(f.base, out->mutable_begin()->mutable_base()); },
          [&](const ForwardParts& f) {
            auto* to = out->mutable_parts();
            for (const std::string& part : f.parts) to->add_part(part);
          },
          [&](const Heartbeat& f) { write(f, out->mutable_heartbeat()); },
      },
      frame);
}

void to_wire(const ForwardDown& frame, v1::ForwardDown* out) {
  std::visit(Overloaded{
                 [&](const ForwardWelcome& f) {
                   auto* to = out->mutable_welcome();
                   to->set_hub(f.hub);
                   to->set_incarnation(raw(f.incarnation));
                   to->set_knows_epoch(f.knows_epoch);
                   write(f.held, to->mutable_held());
                   to->set_window_bytes(f.window_bytes);
                 },
                 [&](const ForwardAck& f) {
                   auto* to = out->mutable_ack();
                   to->set_journaled(f.journaled);
                   to->set_stable(f.stable);
                   to->set_chain(raw(f.chain));
                   to->set_consumed_bytes(f.consumed_bytes);
                 },
                 [&](const ForwardRefusal& f) {
                   auto* to = out->mutable_refusal();
                   to->set_seq(f.seq);
                   to->set_code(f.code);
                   to->set_reason(f.reason);
                 },
                 [&](const ForwardReceipts& f) {
                   auto* to = out->mutable_receipts();
                   for (const DestinationReceipt& receipt : f.receipts) {
                     auto* one = to->add_receipts();
                     one->set_destination(receipt.destination);
                     one->set_region(receipt.region);
                     one->set_database(raw(receipt.database));
                     write(receipt.receipt, one->mutable_receipt());
                   }
                 },
                 [&](const Goodbye& f) { write(f, out->mutable_goodbye()); },
                 [&](const Heartbeat& f) { write(f, out->mutable_heartbeat()); },
             },
             frame);
}

void to_wire(const DeliverUp& frame, v1::DeliverUp* out) {
  std::visit(Overloaded{
                 [&](const DeliverHello& f) {
                   auto* to = out->mutable_hello();
                   to->set_protocol(f.protocol);
                   to->set_spoke(f.spoke);
                   to->set_database(raw(f.database));
                   for (const std::string& pattern : f.subscribe) to->add_subscribe(pattern);
                   to->set_start_now(f.start_now);
                   for (const StreamPosition& position : f.positions)
                     write(position, to->add_positions());
                   to->set_window_bytes(f.window_bytes);
                   to->set_agent(f.agent);
                 },
                 [&](const DeliverKnown& f) {
                   auto* to = out->mutable_known();
                   for (const OriginEpoch& known : f.known) {
                     auto* one = to->add_known();
                     one->set_origin(known.origin);
                     one->set_epoch(raw(known.epoch));
                   }
                   to->set_last(f.last);
                 },
                 [&](const DeliverAck& f) {
                   auto* to = out->mutable_ack();
                   to->set_consumed_bytes(f.consumed_bytes);
                   to->set_applied(f.applied);
                   to->set_durable(f.durable);
                 },
                 [&](const DeliverReceipts& f) {
                   auto* to = out->mutable_receipts();
                   to->set_first(f.first);
                   to->set_last(f.last);
                   for (const Receipt& receipt : f.receipts) write(receipt, to->add_receipts());
                 },
                 [&](const Heartbeat& f) { write(f, out->mutable_heartbeat()); },
             },
             frame);
}

void to_wire(const DeliverDown& frame, v1::DeliverDown* out) {
  std::visit(Overloaded{
                 [&](const DeliverWelcome& f) {
                   auto* to = out->mutable_welcome();
                   to->set_hub(f.hub);
                   to->set_incarnation(raw(f.incarnation));
                   write(f.from, to->mutable_from());
                   to->set_restarted(f.restarted);
                   to->set_trimmed_to(f.trimmed_to);
                   for (const std::string& pattern : f.narrowed) to->add_narrowed(pattern);
                 },
                 [&](const DeliverBatch& f) {
                   auto* to = out->mutable_batch();
                   for (const DeliverItem& item : f.items) write(item, to->add_items());
                   to->set_complete(f.complete);
                   write(f.position, to->mutable_position());
                 },
                 [&](const Goodbye& f) { write(f, out->mutable_goodbye()); },
                 [&](const Heartbeat& f) { write(f, out->mutable_heartbeat()); },
             },
             frame);
}

Result<ForwardUp> from_wire(v1::ForwardUp* in) {
  Fields fields;
  ForwardUp out;
  if (in->has_hello()) {
    const auto& f = in->hello();
    ForwardHello hello;
    hello.protocol = f.protocol();
    hello.spoke = f.spoke();
    hello.epoch = fields.epoch_info(f.epoch());
    hello.stable = fields.chain_position(f.stable());
    for (const auto& ancestor : f.ancestors())
      hello.ancestors.push_back(fields.epoch_info(ancestor));
    hello.tip = f.tip();
    hello.agent = f.agent();
    out = std::move(hello);
  } else if (in->has_begin()) {
    out = ForwardBegin{fields.chain_position(in->begin().base())};
  } else if (in->has_parts()) {
    ForwardParts parts;
    for (std::string& part : *in->mutable_parts()->mutable_part())
      parts.parts.push_back(std::move(part));
    out = std::move(parts);
  } else if (in->has_heartbeat()) {
    out = read(in->heartbeat());
  } else {
    return malformed("forward");
  }
  if (!fields.ok()) return malformed("forward");
  return out;
}

Result<ForwardDown> from_wire(v1::ForwardDown* in) {
  Fields fields;
  ForwardDown out;
  if (in->has_welcome()) {
    const auto& f = in->welcome();
    out = ForwardWelcome{f.hub(), fields.id<Incarnation>(f.incarnation()), f.knows_epoch(),
                         fields.chain_position(f.held()), f.window_bytes()};
  } else if (in->has_ack()) {
    const auto& f = in->ack();
    out = ForwardAck{f.journaled(), f.stable(), fields.id<Hash>(f.chain()), f.consumed_bytes()};
  } else if (in->has_refusal()) {
    out = ForwardRefusal{in->refusal().seq(), in->refusal().code(), in->refusal().reason()};
  } else if (in->has_receipts()) {
    ForwardReceipts frame;
    frame.receipts.reserve(static_cast<std::size_t>(in->receipts().receipts_size()));
    for (const auto& one : in->receipts().receipts())
      frame.receipts.push_back({one.destination(), one.region(),
                                fields.id<Incarnation>(one.database()),
                                read(one.receipt(), fields)});
    out = std::move(frame);
  } else if (in->has_goodbye()) {
    out = read(in->goodbye());
  } else if (in->has_heartbeat()) {
    out = read(in->heartbeat());
  } else {
    return malformed("forward");
  }
  if (!fields.ok()) return malformed("forward");
  return out;
}

Result<DeliverUp> from_wire(v1::DeliverUp* in) {
  Fields fields;
  DeliverUp out;
  if (in->has_hello()) {
    const auto& f = in->hello();
    DeliverHello hello;
    hello.protocol = f.protocol();
    hello.spoke = f.spoke();
    hello.database = fields.id<Incarnation>(f.database());
    hello.subscribe.assign(f.subscribe().begin(), f.subscribe().end());
    hello.start_now = f.start_now();
    for (const auto& position : f.positions())
      hello.positions.push_back(fields.stream_position(position));
    hello.window_bytes = f.window_bytes();
    hello.agent = f.agent();
    out = std::move(hello);
  } else if (in->has_known()) {
    DeliverKnown page;
    page.known.reserve(static_cast<std::size_t>(in->known().known_size()));
    for (const auto& known : in->known().known())
      page.known.push_back({known.origin(), fields.id<Epoch>(known.epoch())});
    page.last = in->known().last();
    out = std::move(page);
  } else if (in->has_ack()) {
    out = DeliverAck{in->ack().consumed_bytes(), in->ack().applied(), in->ack().durable()};
  } else if (in->has_receipts()) {
    DeliverReceipts frame{in->receipts().first(), in->receipts().last(), {}};
    frame.receipts.reserve(static_cast<std::size_t>(in->receipts().receipts_size()));
    for (const auto& receipt : in->receipts().receipts())
      frame.receipts.push_back(read(receipt, fields));
    out = std::move(frame);
  } else if (in->has_heartbeat()) {
    out = read(in->heartbeat());
  } else {
    return malformed("deliver");
  }
  if (!fields.ok()) return malformed("deliver");
  return out;
}

Result<DeliverDown> from_wire(v1::DeliverDown* in) {
  Fields fields;
  DeliverDown out;
  if (in->has_welcome()) {
    const auto& f = in->welcome();
    DeliverWelcome welcome;
    welcome.hub = f.hub();
    welcome.incarnation = fields.id<Incarnation>(f.incarnation());
    welcome.from = fields.stream_position(f.from());
    welcome.restarted = f.restarted();
    welcome.trimmed_to = f.trimmed_to();
    welcome.narrowed.assign(f.narrowed().begin(), f.narrowed().end());
    out = std::move(welcome);
  } else if (in->has_batch()) {
    DeliverBatch batch;
    batch.items.reserve(static_cast<std::size_t>(in->batch().items_size()));
    for (auto& item : *in->mutable_batch()->mutable_items()) {
      std::optional<DeliverItem> one = read(&item, fields);
      if (!one) return malformed("deliver");
      batch.items.push_back(std::move(*one));
    }
    batch.complete = in->batch().complete();
    batch.position = fields.stream_position(in->batch().position());
    out = std::move(batch);
  } else if (in->has_goodbye()) {
    out = read(in->goodbye());
  } else if (in->has_heartbeat()) {
    out = read(in->heartbeat());
  } else {
    return malformed("deliver");
  }
  if (!fields.ok()) return malformed("deliver");
  return out;
}

}  // namespace oltp20
