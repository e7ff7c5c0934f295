#include "hub/core/delivery.h"

#include <algorithm>

#include "common/base/limits.h"
#include "common/base/subject.h"
#include "common/wire/hash_chain.h"

namespace oltp20::hub {

Delivery::Delivery(std::string hub, const JournalInfo& journal, const Lives* lives,
                   std::shared_ptr<const Policy> policy)
    : hub_(std::move(hub)), lives_(lives), policy_(std::move(policy)), tail_(limits::kTailBytes) {
  adopt(journal);
}

void Delivery::adopt(const JournalInfo& info) {
  head_ = info.head;
  head_.incarnation = info.incarnation;
  start_ = {info.incarnation, 0, stream_start(info.hub, info.incarnation, info.parent)};
  first_lsn_ = info.first_lsn;
}

void Delivery::opened(const LinkOpened& event, Now now, Actions* out) {
  std::size_t silent = 0;
  for (const auto& [link, session] : sessions_)
    silent += session.state == Session::State::opened && session.peer.name == event.peer.name;
  if (silent >= limits::kLinksOfOne)
    return end(event.link, Code::exhausted, "too many links of one spoke that say nothing", out);
  Session session;
  session.opened = now.monotonic;
  session.peer = event.peer;
  session.address = event.address;
  sessions_.emplace(event.link, std::move(session));
}

void Delivery::time_passed(Now now, Actions* out) {
  std::vector<LinkId> late;
  for (const auto& [link, session] : sessions_)
    if ((session.state == Session::State::opened || session.state == Session::State::greeting) &&
        now.monotonic - session.opened > limits::kHelloWithin)
      late.push_back(link);
  for (LinkId link : late) end(link, Code::invalid, "no hello in time", out);
  note_departed(now);
}

void Delivery::closed(LinkId link, Actions* out) {
  auto at = sessions_.find(link);
  if (at == sessions_.end()) return;
  if (at->second.state != Session::State::opened)
    out->push_back(Notice{Notice::Kind::detached, at->second.peer.label(), "deliver",
                          "the deliver link from " + at->second.address + " ended"});
  depart(at->second);
  sessions_.erase(at);
}

void Delivery::end(LinkId link, Code code, const std::string& reason, Actions* out) {
  auto at = sessions_.find(link);
  if (at != sessions_.end()) {
    out->push_back(Notice{Notice::Kind::link_refused, at->second.peer.label(),
                          std::string(code_name(code)), reason});
    depart(at->second);
    sessions_.erase(at);
  }
  out->push_back(CloseLink{link, {code, reason}});
}

void Delivery::received(const DeliverReceived& event, Receipts* receipts, Now now, Actions* out) {
  auto at = sessions_.find(event.link);
  if (at == sessions_.end()) return;
  out->push_back(Consumed{event.link, 1});
  Session& session = at->second;
  if (const auto* frame = std::get_if<DeliverHello>(&event.frame)) {
    hello(event.link, session, *frame, out);
  } else if (const auto* frame = std::get_if<DeliverKnown>(&event.frame)) {
    known(event.link, session, *frame, now, out);
  } else if (const auto* ack = std::get_if<DeliverAck>(&event.frame)) {
    acknowledged(event.link, session, *ack, now, out);
  } else if (const auto* said = std::get_if<DeliverReceipts>(&event.frame)) {
    Status status(Code::invalid, "receipts, out of turn");
    if (session.state == Session::State::streaming)
      status = receipts->said(session.peer, session.hello.database, *said);
    if (!status) end(event.link, status.code(), status.message(), out);
  }
}

void Delivery::acknowledged(LinkId link, Session& session, const DeliverAck& ack, Now now,
                            Actions* out) {
  if (ack.consumed_bytes > session.sent_bytes || ack.applied > session.sent.lsn)
    return end(link, Code::invalid, "an acknowledgement of what was never sent", out);
  session.consumed_bytes = std::max(session.consumed_bytes, ack.consumed_bytes);
  session.applied = std::max(session.applied, ack.applied);
  session.durable = std::max(session.durable, ack.durable);
  while (!session.in_flight.empty() && session.in_flight.front().upto <= session.applied) {
    const Sent& sent = session.in_flight.front();
    out->push_back(Notice{Notice::Kind::confirmed, session.peer.label(), "", "", sent.transactions,
                          0, now.monotonic - sent.at});
    session.in_flight_transactions -= sent.transactions;
    session.in_flight.pop_front();
  }
}

Status Delivery::check_hello(LinkId link, const Session& session, const DeliverHello& frame,
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
  if (frame.subscribe.size() > limits::kSubscriptions)
    return Status(Code::exhausted, "more than " + std::to_string(limits::kSubscriptions) +
                                       " subscriptions: use patterns");
  for (const std::string& pattern : frame.subscribe) OLTP20_TRY(check_pattern(pattern));
  for (auto& [other, attached] : sessions_) {
    if (other == link || attached.peer.name != frame.spoke ||
        attached.state == Session::State::opened)
      continue;
    if (attached.hello.agent != frame.agent)
      return Status(Code::conflict, "spoke/" + frame.spoke + " is attached from " +
                                        attached.address +
                                        " by another agent: stop one of the two");
    end(other, Code::unavailable, "the same agent has attached anew", out);
    break;
  }
  return {};
}

void Delivery::hello(LinkId link, Session& session, const DeliverHello& frame, Actions* out) {
  if (Status status = check_hello(link, session, frame, out); !status)
    return end(link, status.code(), status.message(), out);
  session.hello = frame;
  session.hello.window_bytes =
      std::clamp<std::uint64_t>(frame.window_bytes, 1, limits::kDeliverWindowBytes);
  session.filter.emplace(session.peer, frame.subscribe, policy_);
  session.narrowed = policy_->narrowed(session.peer, frame.subscribe);
  session.state = Session::State::greeting;
  if (!session.narrowed.empty())
    out->push_back(Notice{Notice::Kind::narrowed, session.peer.label(), "narrowed",
                          "policy lets it receive only part of " + session.narrowed.front()});
}

void Delivery::known(LinkId link, Session& session, const DeliverKnown& frame, Now now,
                     Actions* out) {
  if (session.state != Session::State::greeting)
    return end(link, Code::invalid, "what it knows, out of turn", out);
  for (const OriginEpoch& one : frame.known) {
    if (!is_name(one.origin)) return end(link, Code::invalid, "an origin's name", out);
    session.told.insert(one);
  }
  if (session.told.size() > limits::kRunOrigins)
    return end(link, Code::exhausted, "the spoke has marks of more origins than a hub remembers",
               out);
  if (!frame.last) return;
  session.state = Session::State::locating;
  locate(link, session, now, out);
}

// Takes the newest offered position whose hash is this stream's; a position of another incarnation
// or with another hash is never interpreted.
void Delivery::locate(LinkId link, Session& session, Now now, Actions* out) {
  const auto& offered = session.hello.positions;
  for (; session.next_position < offered.size(); ++session.next_position) {
    const StreamPosition& position = offered[session.next_position];
    if (position.incarnation != start_.incarnation || position.lsn > head_.lsn) continue;
    if (position == start_ || position == head_)
      return start(link, session, position, false, now, out);
    if (position.lsn == 0) continue;
    out->push_back(LookUpHash{link, position.lsn});
    return;
  }
  if (offered.empty() && session.hello.start_now)
    return start(link, session, head_, false, now, out);
  start(link, session, oldest(), !offered.empty(), now, out);
}

void Delivery::hash_found(const HashFound& event, Now now, Actions* out) {
  auto at = sessions_.find(event.link);
  if (at == sessions_.end() || at->second.state != Session::State::locating) return;
  Session& session = at->second;
  const StreamPosition& position = session.hello.positions[session.next_position];
  if (event.hash.is_ok() && *event.hash == position.hash)
    return start(event.link, session, position, false, now, out);
  ++session.next_position;
  locate(event.link, session, now, out);
}

StreamPosition Delivery::oldest() const {
  if (first_lsn_ <= 1) return start_;
  return {start_.incarnation, first_lsn_ - 1, {}};
}

void Delivery::start(LinkId link, Session& session, const StreamPosition& from, bool restarted,
                     Now now, Actions* out) {
  bool trimmed = from.lsn + 1 < first_lsn_;
  session.passed = session.sent = trimmed ? oldest() : from;
  session.cursor = {session.passed.lsn + 1, 0};
  session.sent_at = now.monotonic;
  session.state = Session::State::streaming;
  departed_.erase(session.peer.name);
  DeliverWelcome frame;
  frame.hub = hub_;
  frame.incarnation = start_.incarnation;
  frame.from = session.passed;
  frame.restarted = restarted || trimmed;
  frame.trimmed_to = trimmed || (restarted && first_lsn_ > 1) ? first_lsn_ - 1 : 0;
  frame.narrowed = session.narrowed;
  session.applied = session.passed.lsn;
  out->push_back(SendDeliver{link, frame});
  if (frame.restarted)
    out->push_back(Notice{Notice::Kind::restarted, session.peer.label(), "restarted",
                          "its position is not one of this stream: delivery starts again behind " +
                              std::to_string(session.passed.lsn)});
  out->push_back(Notice{
      Notice::Kind::attached, session.peer.label(), "deliver",
      "attached from " + session.address + " behind lsn " + std::to_string(session.passed.lsn)});
}

void Delivery::durable(const std::vector<EntryPtr>& entries) {
  for (const EntryPtr& entry : entries) {
    head_.lsn = entry->lsn;
    head_.hash = entry->stream;
    tail_.push(entry);
  }
}

void Delivery::recovered(const JournalInfo& info, Actions* out) {
  bool other = info.incarnation != start_.incarnation;
  tail_.clear();
  adopt(info);
  if (!other) return;
  while (!sessions_.empty())
    end(sessions_.begin()->first, Code::unavailable, "the hub's journal began a new incarnation",
        out);
  departed_.clear();  // their positions are of another stream
}

void Delivery::policy_changed(std::shared_ptr<const Policy> policy, Actions* out) {
  policy_ = std::move(policy);
  std::vector<LinkId> torn;
  for (auto& [link, session] : sessions_) {
    if (!session.filter) continue;
    session.filter->change(policy_);
    if (!in_the_middle(session)) {  // what was looked for, or found, was by the old policy
      session.cursor.part_no = 0;
      session.matched = 0;
      session.looking = false;
    }
    session.narrowed = policy_->narrowed(session.peer, session.hello.subscribe);
    if (session.cursor.part_no != 0) torn.push_back(link);
  }
  // One transaction, one policy: whoever has half of a large one gets it again, whole.
  for (LinkId link : torn)
    end(link, Code::unavailable, "policy has changed in the middle of a transaction", out);
}

void Delivery::page_found(PageFound event, Now, Actions* out) {
  auto at = sessions_.find(event.link);
  if (at == sessions_.end()) return;
  Session& session = at->second;
  session.reading = false;
  if (event.page.is_ok() && !event.page->items.empty()) {
    session.page = std::move(*event.page);
    session.page_at = 0;
    return;
  }
  // Trimmed under its feet: it attaches again and is told so. Anything else needs an operator; the
  // destination tries again, with backoff, and both sides say why.
  std::string why = event.page.is_ok() ? "it has nothing where its head says it has"
                                       : event.page.status().message();
  end(event.link, Code::unavailable,
      "the journal cannot be read behind lsn " + std::to_string(session.passed.lsn) + ": " + why,
      out);
}

std::optional<ReadItem> Delivery::next(LinkId link, Session& session, Actions* out) {
  if (session.cursor.part_no == 0) {
    EntryPtr entry = tail_.find(session.cursor.lsn);
    if (entry && (entry->parts <= 1 || session.filter->match(*entry) == Filter::Match::nothing)) {
      session.page.reset();
      return ReadItem{std::move(entry), 0, {}};
    }
  }
  while (session.page && session.page_at < session.page->items.size()) {
    ReadItem& item = session.page->items[session.page_at++];
    ReadCursor at{item.entry->lsn, item.part_no};
    if (at == session.cursor) return std::move(item);
    if (at > session.cursor) break;  // not what comes next: ask anew
  }
  session.page.reset();
  if (!session.reading) {
    session.reading = true;
    out->push_back(ReadPages{link, session.cursor, limits::kReadPageBytes});
  }
  return std::nullopt;
}

bool Delivery::has_credit(const Session& session) const {
  return session.sent_bytes - session.consumed_bytes < session.hello.window_bytes;
}

// Of a large transaction of which something has been sent.
bool Delivery::in_the_middle(const Session& session) const {
  return session.cursor.part_no != 0 && !session.looking;
}

void Delivery::flush(Now now, Actions* out) {
  std::vector<LinkId> links;
  for (auto& [link, session] : sessions_)
    if (session.state == Session::State::streaming) links.push_back(link);
  for (LinkId link : links)
    if (auto at = sessions_.find(link); at != sessions_.end()) pump(link, at->second, now, out);
}

void Delivery::pump(LinkId link, Session& session, Now now, Actions* out) {
  Batch batch;
  while (session.cursor.lsn <= head_.lsn && has_credit(session) && !session.reading) {
    std::optional<ReadItem> item = next(link, session, out);
    if (!item) break;
    if (Status status = add(session, *item, &batch); !status)
      return end(link, status.code(), status.message(), out);
    bool large_ended = item->entry->parts > 1 && session.cursor.part_no == 0;
    if (batch.parts != 0 && (batch.bytes >= limits::kBatchBytes ||
                             batch.frame.items.size() >= limits::kBatchParts || large_ended))
      send(link, session, std::exchange(batch, {}), now, out);
  }
  bool overdue = session.passed != session.sent &&
                 now.monotonic - session.sent_at >= limits::kSpanFlush && has_credit(session);
  if (batch.parts != 0 || (overdue && !in_the_middle(session)))
    send(link, session, std::move(batch), now, out);
}

Status Delivery::add(Session& session, const ReadItem& item, Batch* batch) {
  const Entry& entry = *item.entry;
  bool own = entry.origin == session.peer.name;
  if (entry.kind == Entry::Kind::transaction && !own) {
    Filter::Match match = session.filter->match(entry);
    if (match != Filter::Match::nothing || item.part_no != 0)
      return add_part(session, item, match, batch);
    add_span(session, entry);
  }
  pass(session, entry);
  return {};
}

Status Delivery::add_part(Session& session, const ReadItem& item, Filter::Match match,
                          Batch* batch) {
  const Entry& entry = *item.entry;
  auto bytes = entry.parts == 1 ? std::shared_ptr<const std::string>(item.entry, &entry.part)
                                : std::make_shared<const std::string>(item.part);
  if (match != Filter::Match::everything) {
    Result<Filter::Left> left = session.filter->apply(std::move(bytes));
    if (!left)
      return Status(left.status().code(), "journal entry " + std::to_string(entry.lsn) +
                                              " cannot be read: " + left.status().message() +
                                              "; run oltp20ctl journal verify");
    if (match == Filter::Match::unlisted && session.matched != entry.lsn &&
        !look_on(session, item, left->rows != 0))
      return {};
    bytes = std::move(left->part);
  }
  announce(session, entry.key(), batch);
  flush_spans(session, entry.key(), batch);
  batch->bytes += bytes->size();
  ++batch->parts;
  if (batch->oldest_us == 0) batch->oldest_us = entry.received_us;
  batch->frame.items.push_back(
      DeliverPart{entry.lsn, entry.prev, entry.content, entry.received_us, std::move(bytes)});
  if (item.part_no + 1 < entry.parts) {
    session.cursor = {entry.lsn, item.part_no + 1};
  } else {
    ++batch->transactions;
    pass(session, entry);
  }
  return {};
}

// Before anything of a transaction whose entry does not list its routes is sent, a row must have
// been found that the destination may have. True: this part goes out.
bool Delivery::look_on(Session& session, const ReadItem& item, bool found) {
  const Entry& entry = *item.entry;
  session.looking = !found && item.part_no + 1 < entry.parts;
  if (found) {
    session.matched = entry.lsn;
    if (item.part_no == 0) return true;
    session.cursor = {entry.lsn, 0};  // from its beginning
  } else if (session.looking) {
    session.cursor = {entry.lsn, item.part_no + 1};
  } else {
    add_span(session, entry);
    pass(session, entry);
  }
  return false;
}

void Delivery::pass(Session& session, const Entry& entry) {
  session.passed = {start_.incarnation, entry.lsn, entry.stream};
  session.cursor = {entry.lsn + 1, 0};
}

void Delivery::announce(Session& session, const OriginEpoch& key, Batch* batch) {
  if (!session.told.insert(key).second) return;
  // How far the origin's earlier lives went comes first: the new one is held back until then.
  std::vector<OriginEpoch> earlier;
  for (const auto& [other, spans] : session.spans)
    if (other.origin == key.origin) earlier.push_back(other);
  for (const OriginEpoch& other : earlier) flush_spans(session, other, batch);
  const Life* life = lives_->find(key.origin, key.epoch);
  if (!life) return;
  if (!life->info.parent.is_zero()) announce(session, {key.origin, life->info.parent}, batch);
  batch->frame.items.emplace_back(
      std::in_place_type<DeliverRun>,
      DeliverRun{session.cursor.lsn, key.origin, life->info, {life->base, {}}});
}

void Delivery::add_span(Session& session, const Entry& entry) {
  if (!session.told.contains(entry.key())) return;  // no mark there that it would move
  auto& spans = session.spans[entry.key()];
  if (!spans.empty() && spans.back().to == entry.prev) {
    spans.back().to = entry.seq;
  } else {
    spans.push_back({entry.origin, entry.epoch, entry.prev, entry.seq});
  }
}

void Delivery::flush_spans(Session& session, const OriginEpoch& key, Batch* batch) {
  auto at = session.spans.find(key);
  if (at == session.spans.end()) return;
  for (DeliverSpan& span : at->second) batch->frame.items.push_back(std::move(span));
  session.spans.erase(at);
}

void Delivery::send(LinkId link, Session& session, Batch batch, Now now, Actions* out) {
  session.sent_at = now.monotonic;
  bool complete = !in_the_middle(session);
  // The position moves past what did not match, so its spans go with it, in as many frames as that
  // takes.
  while (complete && !session.spans.empty()) {
    if (batch.frame.items.size() >= limits::kSpanPage) {
      batch.frame.complete = false;
      send_frame(link, session, std::exchange(batch.frame, {}), out);
    }
    flush_spans(session, OriginEpoch(session.spans.begin()->first), &batch);
  }
  if (complete) session.sent = session.passed;
  batch.frame.complete = complete;
  batch.frame.position = session.passed;
  if (batch.transactions != 0) {
    session.in_flight.push_back(
        {session.passed.lsn, batch.transactions, batch.oldest_us, now.monotonic});
    session.in_flight_transactions += batch.transactions;
  }
  out->push_back(Notice{Notice::Kind::delivered, session.peer.label(), "", "", batch.transactions,
                        batch.bytes});
  send_frame(link, session, std::move(batch.frame), out);
}

void Delivery::send_frame(LinkId link, Session& session, DeliverBatch frame, Actions* out) {
  session.sent_bytes += window_cost(frame);
  out->push_back(SendDeliver{link, std::move(frame)});
}

std::vector<SessionStatus> Delivery::status() const {
  std::vector<SessionStatus> out;
  for (const auto& [link, session] : sessions_) {
    if (session.state == Session::State::opened) continue;
    out.push_back({session.peer, session.address, session.hello.subscribe, session.narrowed,
                   session.sent.lsn, session.applied, session.durable, lag(session),
                   session.sent_bytes - session.consumed_bytes, session.hello.window_bytes});
  }
  return out;
}

}  // namespace oltp20::hub
