#include "spoke/core/origin.h"

#include <algorithm>
#include <array>
#include <limits>

#include "common/wire/hash_chain.h"

namespace oltp20::spoke {
namespace {

// How long after the last poll that found nothing the next one comes. After kAwakePolls the trigger
// is asked to notify; the polls behind it cover a commit whose insert came before that.
constexpr std::array<Micros, 6> kPolls = {500, 1000, 1000, 5000, 20'000, limits::kIdlePoll};
constexpr std::size_t kAwakePolls = 2;

}  // namespace

Origin::Origin(OriginOptions options, Outbox& outbox, Random& random)
    : options_(std::move(options)),
      outbox_(outbox),
      random_(random),
      agent_(to_hex(random.fill(16))),
      open_backoff_(limits::kReconnectFirst, limits::kReconnectMost),
      link_backoff_(limits::kReconnectFirst, limits::kReconnectMost) {}

// ---- the database -------------------------------------------------------------------------------

void Origin::open_database(Now now, OriginActions* out) {
  Result<OutboxState> state = outbox_.open();
  if (!state) return database_failed(state.status(), now, out);
  state_ = std::move(*state);
  if (state_.last_tick.epoch != state_.epoch.id) {  // nothing captured in this life yet
    state_.last_tick.first = 1;
    state_.last_tick.last = 0;
  }
  changed_server_ = changed_server();
  open_ = true;
  flag_set_ = false;
  open_backoff_.reset();
  source_.emplace(outbox_, source_options());
  receipts_.clear();
  receipts_wanted_ = false;
  unwanted_.clear();
  receipts_off_ = state_.receipts_off;
  source_->set_receipts_off(receipts_off_);
  if (Status status = load_rejections(&*source_, state_.stable.seq); !status)
    return database_failed(status, now, out);
  if (state_.stable.seq == 0) state_.stable = {0, origin_chain_start(options_.spoke, state_.epoch)};
  checkpointed_ = state_.stable;
  if (journaled_.seq < state_.stable.seq || state_.last_tick.last < journaled_.seq)
    journaled_ = state_.stable;
  out->push_back(OriginNotice{OriginNotice::Kind::database_open,
                              "epoch " + to_hex(state_.epoch.id) + ", captured up to " +
                                  std::to_string(state_.last_tick.last) + ", confirmed up to " +
                                  std::to_string(state_.stable.seq)});
}

SourceOptions Origin::source_options() const {
  return {options_.spoke, state_.epoch.id, state_.secret, state_.overlap_before};
}

Status Origin::load_rejections(OutboxSource* source, Seq after) {
  Result<std::vector<Rejection>> rejections = outbox_.rejections(state_.epoch.id, after);
  if (!rejections) return rejections.status();
  for (const Rejection& rejection : *rejections) source->reject(rejection);
  return {};
}

void Origin::database_failed(const Status& status, Now now, OriginActions* out) {
  trouble_ = status.message();
  bool person = status.code() != Code::unavailable;
  out->push_back(OriginNotice{
      person ? OriginNotice::Kind::stalled : OriginNotice::Kind::database_lost, trouble_});
  open_ = false;
  source_.reset();
  open_at_ = now.monotonic + open_backoff_.next_us(random_);
  drop_link(now, out);
}

// ---- the link -----------------------------------------------------------------------------------

void Origin::connect(OriginActions* out) {
  link_ = Link::connecting;
  out->push_back(ConnectForward{next_hub_});
  next_hub_ = (next_hub_ + 1) % std::max<std::size_t>(options_.hubs, 1);
}

void Origin::drop_link(Now now, OriginActions* out) {
  if (link_ == Link::none) return;
  out->push_back(DisconnectForward{});
  link_ = Link::none;
  connect_at_ = now.monotonic + link_backoff_.next_us(random_);
}

void Origin::link_opened(Now now, OriginActions* out) {
  if (link_ != Link::connecting) return;
  if (!open_) return drop_link(now, out);
  link_ = Link::greeting;
  ForwardHello hello;
  hello.spoke = options_.spoke;
  hello.epoch = state_.epoch;
  hello.ancestors = state_.ancestors;
  hello.stable = state_.stable;
  hello.tip = state_.last_tick.last;
  hello.agent = agent_;
  out->push_back(SendUp{hello});
}

void Origin::link_closed(const Status& status, Now now, OriginActions* out) {
  if (link_ == Link::none) return;
  trouble_ = status.message();
  bool person = status.code() == Code::denied || status.code() == Code::conflict ||
                status.code() == Code::invalid;
  out->push_back(
      OriginNotice{person ? OriginNotice::Kind::stalled : OriginNotice::Kind::link_lost, trouble_});
  if (link_ == Link::streaming && now.monotonic - streaming_since_ > limits::kReconnectMost)
    link_backoff_.reset();
  link_ = Link::none;
  connect_at_ = now.monotonic + link_backoff_.next_us(random_);
}

void Origin::link_received(ForwardDown frame, Now now, OriginActions* out) {
  if (!open_ || link_ == Link::none) return;
  Status status;
  if (const auto* down = std::get_if<ForwardWelcome>(&frame)) {
    if (link_ == Link::greeting) welcome(*down, now, out);
  } else if (const auto* down = std::get_if<ForwardAck>(&frame)) {
    if (link_ == Link::streaming) acknowledged(*down, now, out);
  } else if (const auto* down = std::get_if<ForwardRefusal>(&frame)) {
    if (link_ == Link::streaming) status = refused(*down, now, out);
  } else if (auto* down = std::get_if<ForwardReceipts>(&frame)) {
    if (link_ == Link::streaming) receipted(std::move(*down));
  } else if (const auto* down = std::get_if<Goodbye>(&frame)) {
    out->push_back(DisconnectForward{});
    link_closed(Status(down->code, "the hub says: " + down->reason), now, out);
  }
  if (!status) database_failed(status, now, out);
}

// ---- attaching ----------------------------------------------------------------------------------

std::string Origin::changed_server() const {
  const Tick& tick = state_.last_tick;
  if (tick.wal_lsn > state_.wal_lsn && state_.wal_lsn != 0)
    return "the database's write-ahead log is behind the last tick";
  if (tick.server.system_identifier.empty() || state_.server.system_identifier.empty()) return "";
  if (tick.server.system_identifier != state_.server.system_identifier)
    return "the database has another system identifier than at the last tick";
  if (tick.server.timeline != state_.server.timeline)
    return "the database is on timeline " + std::to_string(state_.server.timeline) +
           ", the last tick was taken on " + std::to_string(tick.server.timeline);
  return "";
}

void Origin::welcome(const ForwardWelcome& frame, Now now, OriginActions* out) {
  hub_ = frame.hub;
  Result<std::optional<ChainPosition>> agreed = agree(frame);
  if (!agreed) return database_failed(agreed.status(), now, out);
  std::string why = changed_server_;
  if (!*agreed)
    why = "hub " + frame.hub + " holds " + std::to_string(frame.held.seq) +
          " transactions of this epoch whose chain hash is not this database's";
  if (!why.empty()) {
    Seq bound = *agreed
                    ? std::min(state_.last_tick.last, std::max(frame.held.seq, state_.stable.seq))
                    : std::min(state_.stable.seq, frame.held.seq);
    if (Status status = begin_epoch(bound, frame.held.seq, why); !status)
      return database_failed(status, now, out);
    out->push_back(OriginNotice{OriginNotice::Kind::epoch_began, why});
    open_ = false;  // opened anew, in the new life
    source_.reset();
    drop_link(now, out);  // with backoff: a hub that contradicts every life gets few of them
    open_at_ = connect_at_;
    return;
  }
  sent_ = journaled_ = **agreed;
  if (Status status = source_->seek(sent_.seq + 1, state_.last_tick.last); !status)
    return database_failed(status, now, out);
  in_flight_.clear();
  half_sent_ = {};
  sent_bytes_ = consumed_bytes_ = 0;
  window_bytes_ = std::min<std::uint64_t>(frame.window_bytes, limits::kForwardWindowBytes);
  link_ = Link::streaming;
  streaming_since_ = now.monotonic;
  poll_at_ = now.monotonic;
  poll_step_ = 0;
  trouble_.clear();
  out->push_back(SendUp{ForwardBegin{sent_}});
  out->push_back(OriginNotice{OriginNotice::Kind::attached,
                              "to hub " + hub_ + ", going on behind " + std::to_string(sent_.seq)});
}

// Protocol rules 2 and 3.
Result<std::optional<ChainPosition>> Origin::agree(const ForwardWelcome& frame) {
  using Agreed = std::optional<ChainPosition>;
  const ChainPosition& held = frame.held;
  if (!frame.knows_epoch || held.seq == 0) return Agreed(state_.stable);
  if (held.seq > state_.last_tick.last) return Agreed();
  if (held.seq < state_.stable.seq) {
    Result<ChainPosition> at = outbox_.checkpoint_at_most(state_.epoch.id, held.seq);
    if (!at) return at.status();
    if (at->seq == held.seq && at->seq != 0 && at->chain != held.chain) return Agreed();
    return Agreed(state_.stable);
  }
  Result<ChainPosition> own = chain_at(held.seq);
  if (!own) return own.status();
  if (own->chain != held.chain) return Agreed();
  return Agreed(*own);
}

Result<ChainPosition> Origin::chain_at(Seq seq) {
  Result<ChainPosition> checkpoint = outbox_.checkpoint_at_most(state_.epoch.id, seq);
  if (!checkpoint) return checkpoint.status();
  ChainPosition at = *checkpoint;
  if (at.seq == 0) at.chain = origin_chain_start(options_.spoke, state_.epoch);
  if (at.seq == seq) return at;
  OutboxSource source(outbox_, source_options());
  OLTP20_TRY(load_rejections(&source, at.seq));
  OLTP20_TRY(source.seek(at.seq + 1, state_.last_tick.last));
  while (at.seq < seq) {
    Result<std::optional<Piece>> piece = source.next();
    if (!piece) return piece.status();
    CHECK(piece->has_value());
    if ((*piece)->last) at = {(*piece)->seq, origin_chain_next(at.chain, (*piece)->content)};
  }
  return at;
}

// The new life continues from the last tick that lies wholly within what is agreed; everything
// behind it is captured again, and the destinations recognise what they have by its ids.
Status Origin::begin_epoch(Seq bound, Seq network_has, const std::string& why) {
  Result<Tick> from = outbox_.tick_at_most(state_.epoch.id, bound);
  if (!from) return from.status();
  Seq fork = from->number == 0 ? 0 : from->last;
  Result<ChainPosition> chain = chain_at(fork);
  if (!chain) return chain.status();
  EpochInfo next{random_.id<Epoch>(), state_.epoch.id, *chain};
  return outbox_.begin_epoch(next, *from, network_has, why);
}

// ---- streaming ----------------------------------------------------------------------------------

void Origin::acknowledged(const ForwardAck& frame, Now now, OriginActions* out) {
  consumed_bytes_ = std::clamp(frame.consumed_bytes, consumed_bytes_, sent_bytes_);
  OriginNotice notice{OriginNotice::Kind::journaled, ""};
  while (!in_flight_.empty() && in_flight_.front().position.seq <= frame.journaled) {
    journaled_ = in_flight_.front().position;
    notice.sent_at_us.push_back(in_flight_.front().sent_at_us);
    in_flight_.pop_front();
  }
  if (frame.journaled != journaled_.seq || frame.chain != journaled_.chain) {
    trouble_ = "hub " + hub_ + " acknowledges " + std::to_string(frame.journaled) +
               " with another chain hash than this database's";
    out->push_back(OriginNotice{OriginNotice::Kind::stalled, trouble_});
    return drop_link(now, out);
  }
  notice.transactions = notice.sent_at_us.size();
  if (notice.transactions != 0) out->push_back(std::move(notice));
}

Status Origin::refused(const ForwardRefusal& frame, Now now, OriginActions* out) {
  ChainPosition before = journaled_;
  auto at = in_flight_.begin();
  for (; at != in_flight_.end() && at->position.seq < frame.seq; ++at) before = at->position;
  bool half_sent = at == in_flight_.end() && frame.seq == sent_.seq + 1 && half_sent_.xid != 0;
  if (before.seq + 1 != frame.seq || (at == in_flight_.end() && !half_sent)) {
    drop_link(now, out);  // a refusal of what was not sent; after attaching again both know
    return {};
  }
  std::uint64_t xid = half_sent ? half_sent_.xid : at->xid;
  std::uint64_t bytes = half_sent ? half_sent_.bytes : at->bytes;
  Rejection rejection{frame.seq, frame.code, frame.reason};
  OLTP20_TRY(outbox_.record_rejection(state_.epoch.id, rejection, xid));
  source_->reject(rejection);
  in_flight_.erase(at, in_flight_.end());
  half_sent_ = {};
  sent_ = before;
  OriginNotice notice{
      OriginNotice::Kind::rejected,
      "transaction " + std::to_string(frame.seq) + ": " + frame.code + ": " + frame.reason, 1,
      bytes};
  notice.reason = frame.code;
  out->push_back(std::move(notice));
  return source_->seek(frame.seq, state_.last_tick.last);
}

Result<bool> Origin::forward(Now, OriginActions* out) {
  ForwardParts frame;
  std::size_t bytes = 0;
  std::uint64_t transactions = 0;
  while (has_credit() && bytes < limits::kBatchBytes && frame.parts.size() < limits::kBatchParts) {
    Result<std::optional<Piece>> next = source_->next();
    if (!next) return next.status();
    if (!*next) break;
    Piece& piece = **next;
    bytes += piece.part.size();
    sent_bytes_ += piece.part.size();
    half_sent_.xid = piece.xid;
    half_sent_.bytes += piece.part.size();
    half_sent_.sent_at_us = piece.sent_at_us;
    frame.parts.push_back(std::move(piece.part));
    if (!piece.refused.empty())
      out->push_back(OriginNotice{OriginNotice::Kind::rejected,
                                  "transaction " + std::to_string(piece.seq) + ": " + piece.refused,
                                  1, 0, 0, "too_large"});
    if (!piece.last) continue;
    sent_ = {piece.seq, origin_chain_next(sent_.chain, piece.content)};
    in_flight_.push_back({sent_, piece.xid, piece.sent_at_us, half_sent_.bytes});
    if (!piece.wants_receipt && !receipts_off_.empty()) note_unwanted(piece.seq);
    half_sent_ = {};
    ++transactions;
  }
  if (frame.parts.empty()) return false;
  out->push_back(SendUp{std::move(frame)});
  out->push_back(OriginNotice{OriginNotice::Kind::forwarded, "", transactions, bytes});
  return true;
}

Result<bool> Origin::capture(Now now, OriginActions* out) {
  if (!has_credit() || source_->next_seq() <= source_->tip() || now.monotonic < poll_at_)
    return false;
  Result<std::optional<TickResult>> taken = outbox_.take_tick(state_.last_tick);
  if (!taken) return taken.status();
  if (!*taken) {
    OLTP20_TRY(fall_asleep(now));
    return false;
  }
  state_.last_tick = (*taken)->tick;
  flag_set_ = false;  // perhaps; whoever falls asleep again makes sure
  out->push_back(OriginNotice{OriginNotice::Kind::captured, "",
                              (*taken)->tick.last + 1 - (*taken)->tick.first, (*taken)->bytes,
                              (*taken)->took_us});
  source_->extend(std::move(**taken));
  poll_step_ = 0;
  poll_at_ = now.monotonic;
  return true;
}

// Nothing was found: the next poll comes later, and in the end the trigger is asked to notify. That
// is said with each further poll, since a notifier that rolled back took it back unheard.
Status Origin::fall_asleep(Now now) {
  Micros delay = kPolls[std::min(poll_step_, kPolls.size() - 1)];
  if (!state_.may_notify) delay = std::min(delay, limits::kPreparedPoll);
  if (poll_step_ >= kAwakePolls && state_.may_notify) {
    if (!flag_set_) delay = 0;  // what was committed before the flag was visible
    OLTP20_TRY(outbox_.set_asleep(true));
    flag_set_ = true;
  }
  ++poll_step_;
  poll_at_ = now.monotonic + delay;
  return {};
}

void Origin::woken(Now now) {
  flag_set_ = false;  // the first notifier has cleared it
  poll_step_ = 0;
  poll_at_ = now.monotonic;
}

Status Origin::checkpoint(Now now, bool at_once) {
  if (journaled_.seq <= checkpointed_.seq || (!at_once && now.monotonic < checkpoint_at_))
    return {};
  OLTP20_TRY(outbox_.write_checkpoint(state_.epoch.id, journaled_, hub_));
  checkpointed_ = state_.stable = journaled_;
  source_->forget_rejections(journaled_.seq);
  checkpoint_at_ = now.monotonic + limits::kCheckpoint;
  return {};
}

bool Origin::work(Now now, OriginActions* out) {
  if (!open_) {
    if (now.monotonic < open_at_) return false;
    open_database(now, out);
    return open_;
  }
  if (link_ == Link::none) {
    if (now.monotonic >= connect_at_) connect(out);
    return false;
  }
  if (link_ != Link::streaming) return false;
  if (Status status = write_down(now, out); !status) {
    database_failed(status, now, out);
    return false;
  }
  Result<bool> more = forward(now, out);
  if (more && !*more) more = capture(now, out);
  if (!more) {
    database_failed(more.status(), now, out);
    return false;
  }
  return *more;
}

Micros Origin::wake_at() const {
  if (!open_) return open_at_;
  if (link_ == Link::none) return connect_at_;
  if (link_ != Link::streaming) return std::numeric_limits<Micros>::max();
  Micros at = std::numeric_limits<Micros>::max();
  if (has_credit() && source_->next_seq() > source_->tip()) at = poll_at_;
  if (has_unwritten()) at = std::min(at, look_for_waiters_at_);
  return at;
}

void Origin::stop() {
  // Failing to write it down costs a comparison at the next start, nothing else.
  if (open_ && link_ == Link::streaming) static_cast<void>(checkpoint({}, true).is_ok());
}

OriginStatus Origin::status() const {
  OriginStatus out;
  out.database_open = open_;
  out.attached = link_ == Link::streaming;
  out.hub = hub_;
  out.epoch = state_.epoch.id;
  out.tip = state_.last_tick.last;
  out.sent = sent_.seq;
  out.journaled = journaled_.seq;
  out.stable = checkpointed_.seq;
  out.in_flight_bytes = sent_bytes_ - consumed_bytes_;
  out.window_bytes = window_bytes_;
  out.oldest_us = in_flight_.empty() ? half_sent_.sent_at_us : in_flight_.front().sent_at_us;
  out.asleep = flag_set_;
  out.trouble = trouble_;
  return out;
}

}  // namespace oltp20::spoke
