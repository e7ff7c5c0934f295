#include "hub/core/ingest.h"

#include "common/base/limits.h"
#include "common/wire/hash_chain.h"

namespace oltp20::hub {

Ingest::Ingest(std::string hub, const JournalInfo& journal, const std::vector<OriginState>& origins,
               std::shared_ptr<const Policy> policy)
    : hub_(std::move(hub)),
      incarnation_(journal.incarnation),
      policy_(std::move(policy)),
      accepted_head_(journal.head),
      durable_head_(journal.head) {
  lives_.reset(origins);
}

void Ingest::opened(const LinkOpened& event, Now now, Actions* out) {
  std::size_t silent = 0;
  for (const auto& [link, session] : sessions_)
    silent += session.state == Session::State::opened && session.peer.name == event.peer.name;
  if (silent >= limits::kLinksOfOne)
    return end(event.link, Code::exhausted, "too many links of one spoke that say nothing", out);
  sessions_.emplace(event.link, Session{.peer = event.peer,
                                        .address = event.address,
                                        .opened = now.monotonic,
                                        .rights = PublishRights(event.peer, policy_)});
}

void Ingest::time_passed(Now now, Actions* out) {
  std::vector<LinkId> late;
  for (const auto& [link, session] : sessions_)
    if ((session.state == Session::State::opened || session.state == Session::State::welcomed) &&
        now.monotonic - session.opened > limits::kHelloWithin)
      late.push_back(link);
  for (LinkId link : late) end(link, Code::invalid, "no hello, or no begin, in time", out);
}

void Ingest::adopt(const EpochAdopted& event, Actions* out) {
  lives_.adopt(event.origin, event.epoch);
  std::vector<LinkId> others;
  for (const auto& [link, session] : sessions_)
    if (session.state != Session::State::opened && session.peer.name == event.origin &&
        session.epoch.id != event.epoch)
      others.push_back(link);
  for (LinkId link : others)
    end(link, Code::conflict, "an operator has decided for another life of this spoke", out);
}

void Ingest::closed(LinkId link, Actions* out) {
  auto at = sessions_.find(link);
  if (at == sessions_.end()) return;
  if (at->second.state != Session::State::opened)
    out->push_back(Notice{Notice::Kind::detached, at->second.peer.label(), "forward",
                          "the forward link from " + at->second.address + " ended"});
  abandon(at->second);
  sessions_.erase(at);
}

// Parts of a transaction that was cut off: whoever comes back begins it anew.
void Ingest::abandon(const Session& session) {
  if (!session.open) return;
  OriginEpoch key{session.peer.name, session.epoch.id};
  drop_parts(key, lives_.find(key.origin, key.epoch)->accepted.seq + 1);
}

void Ingest::end(LinkId link, Code code, const std::string& reason, Actions* out) {
  auto at = sessions_.find(link);
  if (at != sessions_.end()) {
    out->push_back(Notice{Notice::Kind::link_refused, at->second.peer.label(),
                          std::string(code_name(code)), reason});
    abandon(at->second);
    sessions_.erase(at);
  }
  out->push_back(CloseLink{link, {code, reason}});
}

void Ingest::received(const ForwardReceived& event, Now now, Actions* out) {
  auto at = sessions_.find(event.link);
  if (at == sessions_.end()) return;
  Session& session = at->second;
  if (const auto* frame = std::get_if<ForwardHello>(&event.frame)) {
    out->push_back(Consumed{event.link, 1});
    hello(event.link, session, *frame, out);
  } else if (const auto* frame = std::get_if<ForwardBegin>(&event.frame)) {
    out->push_back(Consumed{event.link, 1});
    begin(event.link, session, *frame, now, out);
  } else if (const auto* frame = std::get_if<ForwardParts>(&event.frame)) {
    parts(event.link, session, *frame, now, out);
  } else {
    out->push_back(Consumed{event.link, 1});  // heartbeats are the link's own
  }
}

Status Ingest::check_hello(LinkId link, const Session& session, const ForwardHello& frame,
                           Actions* out) {
  if (session.state != Session::State::opened)
    return Status(Code::invalid, "a second hello on one link");
  if (frame.protocol != kProtocolVersion)
    return Status(Code::invalid, "the spoke speaks protocol " + std::to_string(frame.protocol) +
                                     ", this hub " + std::to_string(kProtocolVersion) +
                                     ": upgrade whichever is older");
  if (session.peer.kind != Identity::Kind::spoke || session.peer.name != frame.spoke)
    return Status(Code::denied, "the spoke calls itself " + frame.spoke +
                                    ", its certificate says " + session.peer.label() +
                                    ": set [spoke] name to the certificate's, or issue another");
  if (!journal_fault_.empty())
    return Status(Code::unavailable, "the hub's journal does not take writes: " + journal_fault_);
  if (lives_.size() >= limits::kRunOrigins && !lives_.knows_origin(frame.spoke))
    return Status(Code::exhausted, "this hub remembers as many origins as it may");
  for (auto& [other, attached] : sessions_) {
    if (other == link || attached.peer.name != frame.spoke ||
        attached.state == Session::State::opened)
      continue;
    if (attached.agent != frame.agent)
      return Status(Code::conflict, "spoke/" + frame.spoke + " is attached from " +
                                        attached.address +
                                        " by another agent: stop one of the two");
    end(other, Code::unavailable, "the same agent has attached anew", out);
    break;
  }
  if (frame.stable.seq > limits::kSeq || frame.tip > limits::kSeq ||
      frame.epoch.fork.seq > limits::kSeq || frame.ancestors.size() > limits::kAncestors)
    return Status(Code::invalid, "a hello with numbers beyond every limit");
  for (const EpochInfo& ancestor : frame.ancestors)
    if (ancestor.fork.seq > limits::kSeq)
      return Status(Code::invalid, "a hello with numbers beyond every limit");
  return lives_.admit(frame.spoke, frame.epoch, frame.ancestors);
}

void Ingest::hello(LinkId link, Session& session, const ForwardHello& frame, Actions* out) {
  if (Status status = check_hello(link, session, frame, out); !status)
    return end(link, status.code(), status.message(), out);
  session.hello = frame;
  session.agent = frame.agent;
  session.epoch = frame.epoch;
  session.state = Session::State::settling;
  welcome(link, session, out);
}

// What is in flight from an earlier link of this origin must be durable, or lost, first.
void Ingest::welcome(LinkId link, Session& session, Actions* out) {
  const Life* life = lives_.find(session.peer.name, session.epoch.id);
  if (life && !life->settled()) return;
  ForwardWelcome frame;
  frame.hub = hub_;
  frame.incarnation = incarnation_;
  frame.knows_epoch = life != nullptr;
  frame.held =
      life ? life->durable : ChainPosition{0, origin_chain_start(session.peer.name, session.epoch)};
  frame.window_bytes = limits::kForwardWindowBytes;
  session.state = Session::State::welcomed;
  out->push_back(SendForward{link, frame});
  out->push_back(Notice{Notice::Kind::attached, session.peer.label(), "forward",
                        "attached from " + session.address + " in epoch " +
                            to_hex(session.epoch.id) + ", holding " +
                            std::to_string(frame.held.seq)});
}

void Ingest::begin(LinkId link, Session& session, const ForwardBegin& frame, Now now,
                   Actions* out) {
  if (session.state != Session::State::welcomed)
    return end(link, Code::invalid, "begin without a welcome", out);
  if (frame.base.seq >= limits::kSeq)
    return end(link, Code::invalid, "a base beyond every limit", out);
  const std::string& origin = session.peer.name;
  Life* life = lives_.find(origin, session.epoch.id);
  if (life && frame.base.seq < life->accepted.seq)
    return end(link, Code::conflict, "the spoke would begin behind what this hub holds", out);
  bool other_chain =
      life && frame.base.seq == life->accepted.seq
          ? frame.base.chain != life->accepted.chain
          : frame.base.seq == 0 && frame.base.chain != origin_chain_start(origin, session.epoch);
  if (other_chain)
    return end(link, Code::conflict,
               "the spoke's chain hash at " + std::to_string(frame.base.seq) +
                   " is not this hub's: its database is another life, a new epoch must begin",
               out);
  if (!life || frame.base.seq != life->accepted.seq) {
    // Lives that began and ended without a word to this hub come first: whoever follows the stream
    // learns from them what descends from what.
    const std::vector<EpochInfo>& ancestors = session.hello.ancestors;
    for (std::size_t i = life ? 0 : ancestors.size(); i-- > 0;)
      if (!lives_.find(origin, ancestors[i].id))
        open_run(session, ancestors[i], (i == 0 ? session.epoch : ancestors[i - 1]).fork, now);
    open_run(session, session.epoch, frame.base, now);
  }
  session.state = Session::State::streaming;
  streaming_.emplace_back(origin, link);
}

void Ingest::open_run(const Session& session, const EpochInfo& life, ChainPosition base, Now now) {
  if (base.seq == 0) base.chain = origin_chain_start(session.peer.name, life);
  lives_.open_run(session.peer.name, life, base);
  Entry run;
  run.kind = Entry::Kind::run;
  run.origin = session.peer.name;
  run.region = session.peer.region;
  run.epoch = life.id;
  run.seq = run.prev = base.seq;
  run.life = life;
  run.chain = base.chain;
  run.received_us = now.wall;
  append_entry(std::move(run));
}

void Ingest::drop_parts(const OriginEpoch& origin, Seq from) {
  std::erase_if(pending_.group.parts, [&](const StoredPart& stored) {
    return stored.origin == origin && stored.seq >= from;
  });
  pending_.group.drops.push_back({origin, from});
}

void Ingest::append_entry(Entry entry) {
  entry.lsn = accepted_head_.lsn + 1;
  entry.stream = stream_next(accepted_head_.hash, entry_hash(entry));
  accepted_head_.lsn = entry.lsn;
  accepted_head_.hash = entry.stream;
  pending_.bytes += entry.memory_bytes();
  pending_.group.entries.push_back(std::make_shared<const Entry>(std::move(entry)));
}

void Ingest::parts(LinkId link, Session& session, const ForwardParts& frame, Now now,
                   Actions* out) {
  if (session.state != Session::State::streaming)
    return end(link, Code::invalid, "parts before begin", out);
  count_ = {};
  Status status;
  for (const std::string& bytes : frame.parts)
    if (status = part(link, session, bytes, now, out); !status) break;
  const std::string who = session.peer.label();
  if (count_.bytes != 0)
    out->push_back(Notice{Notice::Kind::received, who, "", "", count_.transactions, count_.bytes});
  if (count_.discarded != 0)
    out->push_back(Notice{Notice::Kind::discarded, who, "", "", count_.discarded});
  if (!status) return end(link, status.code(), status.message(), out);
  // A sender is read on only while the next group has room: that is the backpressure.
  if (pending_.bytes < limits::kGroupBytes) {
    out->push_back(Consumed{link, 1});
  } else {
    ++session.parked_frames;
  }
}

bool Ingest::discard_while_refused(Session& session, const PartView& part) {
  if (!session.refused) return false;
  bool refused = part.header.seq == *session.refused;
  if (refused && part.header.tombstone) {
    session.refused.reset();
    return false;
  }
  if (!refused && part.last) ++count_.discarded;
  return true;
}

Status Ingest::part(LinkId link, Session& session, const std::string& bytes, Now now,
                    Actions* out) {
  Result<PartView> parsed = PartView::parse(bytes);
  if (!parsed) return parsed.status();
  const PartView& part = *parsed;
  if (part.header.origin != session.peer.name || part.header.epoch != session.epoch.id)
    return Status(Code::denied, "a transaction of " + part.header.origin + " on the link of " +
                                    session.peer.label());
  pending_.shares[link] += bytes.size();
  count_.bytes += bytes.size();
  count_.transactions += part.last;
  if (discard_while_refused(session, part)) return {};
  Seq next = lives_.find(session.peer.name, session.epoch.id)->accepted.seq + 1;
  if (part.header.seq != next)
    return Status(Code::conflict, "transaction " + std::to_string(part.header.seq) +
                                      " came where " + std::to_string(next) + " was due");
  if (!session.open) session.open.emplace();
  OLTP20_TRY(session.open->add(part, session.rights));
  if (session.open->refused()) {
    refuse(link, session, part, out);
  } else {
    accept(session, part, bytes, now);
  }
  return {};
}

void Ingest::refuse(LinkId link, Session& session, const PartView& part, Actions* out) {
  const RefusedTransaction& refused = *session.open->refused();
  drop_parts({session.peer.name, session.epoch.id}, part.header.seq);
  session.refused = part.header.seq;
  out->push_back(SendForward{link, ForwardRefusal{part.header.seq, refused.code, refused.reason}});
  out->push_back(Notice{Notice::Kind::transaction_refused, session.peer.label(), refused.code,
                        "transaction " + std::to_string(part.header.seq) + ": " + refused.reason, 1,
                        session.open->bytes()});
  session.open.reset();
}

void Ingest::accept(Session& session, const PartView& part, const std::string& bytes, Now now) {
  OriginEpoch key{session.peer.name, session.epoch.id};
  bool single = part.last && part.part_no == 0;
  if (!single) {
    pending_.group.parts.push_back({key, part.header.seq, part.part_no, bytes});
    pending_.bytes += bytes.size();
  }
  if (!part.last) return;
  Life* life = lives_.find(key.origin, key.epoch);
  Entry entry;
  entry.origin = session.peer.name;
  entry.region = session.peer.region;
  entry.epoch = session.epoch.id;
  entry.seq = part.header.seq;
  entry.prev = life->accepted.seq;
  entry.received_us = now.wall;
  session.open->describe(&entry);
  entry.chain = origin_chain_next(life->accepted.chain, entry.content);
  if (single) entry.part = bytes;
  life->accepted = {entry.seq, entry.chain};
  append_entry(std::move(entry));
  pending_.arrivals.push_back({session.open->newest_us(), now.wall, now.monotonic});
  session.open.reset();
}

void Ingest::flush(Actions* out) {
  bool something = !pending_.group.entries.empty() || !pending_.group.parts.empty() ||
                   !pending_.group.drops.empty() || !pending_.shares.empty();
  if (under_way_ || !something || !journal_fault_.empty()) return;
  under_way_ = std::move(pending_);
  pending_ = {};
  out->push_back(AppendGroup{under_way_->group});
  for (auto& [link, session] : sessions_) {
    if (session.parked_frames == 0) continue;
    out->push_back(Consumed{link, session.parked_frames});
    session.parked_frames = 0;
  }
}

std::vector<EntryPtr> Ingest::group_done(const Status& status, Now now, Actions* out) {
  CHECK(under_way_);
  Batch batch = std::move(*under_way_);
  under_way_.reset();
  if (!status) {
    journal_failed(status, now, out);
    return {};
  }
  for (const EntryPtr& entry : batch.group.entries) {
    Life* life = lives_.find(entry->origin, entry->epoch);
    life->durable = {entry->seq, entry->chain};
    life->durable_lsn = entry->lsn;
    durable_head_ = {incarnation_, entry->lsn, entry->stream};
  }
  for (const auto& [link, bytes] : batch.shares) {
    auto at = sessions_.find(link);
    if (at == sessions_.end()) continue;
    at->second.consumed_bytes += bytes;
    acknowledge(link, at->second, out);
  }
  for (auto& [link, session] : sessions_)
    if (session.state == Session::State::settling) welcome(link, session, out);
  if (!batch.arrivals.empty()) out->push_back(journaled(batch, now));
  return std::move(batch.group.entries);
}

Notice Ingest::journaled(const Batch& batch, Now now) {
  Notice notice{Notice::Kind::journaled};
  notice.transactions = batch.arrivals.size();
  for (const EntryPtr& entry : batch.group.entries) notice.bytes += entry->bytes;
  notice.times.reserve(batch.arrivals.size());
  for (const Arrival& arrival : batch.arrivals)
    notice.times.push_back(
        {arrival.sent_at_us, arrival.received_us, now.monotonic - arrival.received});
  return notice;
}

void Ingest::acknowledge(LinkId link, Session& session, Actions* out) {
  const Life* life = lives_.find(session.peer.name, session.epoch.id);
  ForwardAck ack;
  ack.journaled = life->durable.seq;
  ack.stable = life->durable.seq;  // one hub: what it holds is what every registered hub holds
  ack.chain = life->durable.chain;
  ack.consumed_bytes = session.consumed_bytes;
  out->push_back(SendForward{link, ack});
}

void Ingest::journal_failed(const Status& status, Now now, Actions* out) {
  journal_fault_ = status.message();
  out->push_back(Notice{Notice::Kind::journal_failed, "", std::string(code_name(status.code())),
                        status.message()});
  pending_ = {};
  accepted_head_ = durable_head_;
  while (!sessions_.empty())
    end(sessions_.begin()->first, Code::unavailable,
        "the hub's journal does not take writes: " + journal_fault_, out);
  lives_.forget_accepted();
  out->push_back(RecoverJournal{now.monotonic + kSecond});
}

bool Ingest::recovered(const JournalRecovered& event, Now now, Actions* out) {
  if (!event.status) {
    journal_fault_ = event.status.message();
    out->push_back(RecoverJournal{now.monotonic + kSecond});
    return false;
  }
  // Whether the failed group is there is known only now.
  journal_fault_.clear();
  out->push_back(
      Notice{Notice::Kind::journal_recovered, "", "",
             "the journal takes writes again behind lsn " + std::to_string(event.info.head.lsn)});
  incarnation_ = event.info.incarnation;
  accepted_head_ = durable_head_ = event.info.head;
  lives_.reset(event.origins);
  return true;
}

void Ingest::policy_changed(std::shared_ptr<const Policy> policy) {
  policy_ = std::move(policy);
  for (auto& [link, session] : sessions_) session.rights.change(policy_);
}

std::vector<std::pair<std::string, LinkId>> Ingest::take_streaming() {
  std::erase_if(streaming_, [&](const auto& one) { return !sessions_.contains(one.second); });
  return std::exchange(streaming_, {});
}

IngestStatus Ingest::status() const {
  std::uint64_t pending = pending_.bytes + (under_way_ ? under_way_->bytes : 0);
  std::size_t attached = 0;
  for (const auto& [link, session] : sessions_) attached += session.state != Session::State::opened;
  return {attached, pending, journal_fault_.empty(), journal_fault_};
}

std::map<std::string, std::string> Ingest::attached() const {
  std::map<std::string, std::string> out;
  for (const auto& [link, session] : sessions_)
    if (session.state != Session::State::opened) out[session.peer.name] = session.address;
  return out;
}

}  // namespace oltp20::hub
