#include "spoke/core/destination.h"

#include <algorithm>

namespace oltp20::spoke {
namespace {

constexpr Micros kLookAfter = 500 * kMillisecond;
constexpr Micros kLookSoon = 50 * kMillisecond;

}  // namespace

Destination::Destination(DestinationOptions options, Inbox& inbox, Random& random)
    : options_(std::move(options)),
      inbox_(inbox),
      random_(random),
      agent_(to_hex(random.fill(16))),
      open_backoff_(limits::kReconnectFirst, limits::kReconnectMost),
      link_backoff_(limits::kReconnectFirst, limits::kReconnectMost) {
  CHECK(!options_.hubs.empty());
}

// ---- the database -------------------------------------------------------------------------------

void Destination::open_database(Now now, DestinationActions* out) {
  Result<InboxState> state = inbox_.open(options_.hubs[next_hub_]);
  if (!state) return database_failed(state.status(), now, out);
  open_ = true;
  open_backoff_.reset();
  database_ = state->database;
  position_ = state->position;
  marks_.clear();
  epochs_.clear();
  held_back_.clear();
  unsaid_.clear();
  asked_.reset();
  read_exceptions(state->exceptions, state->holes);
  for (Mark& mark : state->marks) marks_[{mark.origin, mark.epoch}] = mark;
  strict_ = {state->strict_origins.begin(), state->strict_origins.end()};
  held_back_.insert(state->held_back.begin(), state->held_back.end());
  for (KnownEpoch& known : state->epochs) epochs_[{known.origin, known.life.id}] = known.life;
  out->push_back(DestinationNotice{DestinationNotice::Kind::database_open,
                                   std::to_string(marks_.size()) + " marks"});
}

void Destination::database_failed(const Status& status, Now now, DestinationActions* out) {
  trouble_ = status.message();
  bool person = status.code() != Code::unavailable && status.code() != Code::conflict;
  out->push_back(DestinationNotice{
      person ? DestinationNotice::Kind::stalled : DestinationNotice::Kind::database_lost,
      trouble_});
  abort_large();
  open_ = false;
  open_at_ = now.monotonic + open_backoff_.next_us(random_);
  drop_link(now, out);
}

// Anybody may notify, so it is a hint: the next look, which comes soon and not at once, compares.
void Destination::database_changed(Now now) {
  look_at_ = std::min(look_at_, now.monotonic + kLookSoon);
}

// ---- the link -----------------------------------------------------------------------------------

void Destination::drop_link(Now now, DestinationActions* out) {
  abort_large();
  asked_.reset();
  batches_.clear();
  queued_bytes_ = queued_transactions_ = 0;
  if (link_ == Link::none) return;
  out->push_back(DisconnectDeliver{});
  link_ = Link::none;
  connect_at_ = now.monotonic + link_backoff_.next_us(random_);
}

void Destination::link_opened(Now now, DestinationActions* out) {
  if (link_ != Link::connecting) return;
  if (!open_) return drop_link(now, out);
  link_ = Link::greeting;
  DeliverHello hello;
  hello.spoke = options_.spoke;
  hello.agent = agent_;
  hello.database = database_;
  hello.subscribe = options_.subscribe;
  hello.start_now = options_.start_now;
  if (position_) hello.positions.push_back(*position_);
  hello.window_bytes = limits::kDeliverWindowBytes;
  out->push_back(SendDown{hello});
  tell_known(out);
}

void Destination::tell_known(DestinationActions* out) const {
  DeliverKnown page;
  for (const auto& [key, mark] : marks_) {
    if (!epochs_.contains(key)) continue;
    if (page.known.size() == limits::kKnownPage) {
      page.last = false;
      out->push_back(SendDown{std::exchange(page, {})});
    }
    page.known.push_back(key);
  }
  out->push_back(SendDown{std::move(page)});
}

void Destination::link_closed(const Status& status, Now now, DestinationActions* out) {
  if (link_ == Link::none) return;
  trouble_ = status.message();
  bool person = status.code() == Code::denied || status.code() == Code::conflict ||
                status.code() == Code::invalid;
  out->push_back(DestinationNotice{
      person ? DestinationNotice::Kind::stalled : DestinationNotice::Kind::link_lost, trouble_});
  if (link_ == Link::streaming && now.monotonic - streaming_since_ > limits::kReconnectMost)
    link_backoff_.reset();
  drop_link(now, out);
  if (options_.hubs.size() > 1) {  // another hub's stream has a position of its own
    next_hub_ = (next_hub_ + 1) % options_.hubs.size();
    open_ = false;
    open_at_ = connect_at_;
  }
}

void Destination::link_received(DeliverDown frame, Now now, DestinationActions* out) {
  if (!open_ || link_ == Link::none) return;
  if (const auto* down = std::get_if<DeliverWelcome>(&frame)) {
    if (link_ == Link::greeting) welcome(*down, now, out);
  } else if (auto* down = std::get_if<DeliverBatch>(&frame)) {
    if (link_ != Link::streaming) return;
    queued_bytes_ += window_cost(*down);
    queued_transactions_ += transactions_in(*down);
    batches_.push_back(std::move(*down));
    if (queued_bytes_ > limits::kDeliverWindowBytes + 2 * limits::kFrameBytes)
      link_closed(protocol_error("more than the window of " +
                                 std::to_string(limits::kDeliverWindowBytes) + " bytes"),
                  now, out);
  } else if (const auto* down = std::get_if<Goodbye>(&frame)) {
    link_closed(Status(down->code, "the hub says: " + down->reason), now, out);
  }
}

void Destination::welcome(const DeliverWelcome& frame, Now now, DestinationActions* out) {
  if (frame.hub != options_.hubs[next_hub_])
    return link_closed(
        Status(Code::conflict, "the hub calls itself " + frame.hub +
                                   ", the configuration calls it " + options_.hubs[next_hub_]),
        now, out);
  hub_ = frame.hub;
  if (frame.from.lsn > limits::kSeq)
    return link_closed(protocol_error("a position beyond every limit"), now, out);
  if (Status status = adopt_position(frame, out); !status) return database_failed(status, now, out);
  narrowed_ = frame.narrowed;
  applied_ = frame.from.lsn;
  durable_ = 0;  // what an earlier link applied need not be flushed
  say_everything_ = true;
  ask_at_ = 0;
  consumed_bytes_ = 0;
  link_ = Link::streaming;
  streaming_since_ = now.monotonic;
  look_at_ = now.monotonic + kLookAfter;
  trouble_.clear();
  if (frame.restarted)
    out->push_back(DestinationNotice{
        DestinationNotice::Kind::restarted,
        "the hub's stream begins anew for this database; marks keep out what it has" +
            (frame.trimmed_to == 0
                 ? std::string()
                 : "; the hub no longer keeps up to lsn " + std::to_string(frame.trimmed_to))});
  for (const std::string& pattern : narrowed_)
    out->push_back(
        DestinationNotice{DestinationNotice::Kind::narrowed,
                          "the hub's policy lets this spoke receive only part of " + pattern});
  out->push_back(DestinationNotice{
      DestinationNotice::Kind::attached,
      "to hub " + hub_ + ", going on behind lsn " + std::to_string(frame.from.lsn)});
}

// From here on the database has a position of this stream, so that every group can compare it.
// What the hub no longer has, and this database has not seen, is a gap: nobody can say whose.
Status Destination::adopt_position(const DeliverWelcome& frame, DestinationActions* out) {
  if (position_ == frame.from) return {};
  ApplyGroup group;
  group.expected_position = position_;
  group.position = frame.from;
  group.durable = true;  // a crash must not make this the first attach again
  group.another_stream = position_ && position_->incarnation != frame.from.incarnation;
  if (frame.restarted && position_) {
    bool dropped = frame.trimmed_to > position_->lsn && position_->incarnation == frame.incarnation;
    std::string reason =
        dropped ? "hub " + hub_ + " has dropped this stretch of its stream before it came here"
                : "hub " + hub_ +
                      " has lost its stream or begun another, so what this database had "
                      "not yet had of the old one behind lsn " +
                      std::to_string(position_->lsn) + " is known to its origins only";
    out->push_back(DestinationNotice{DestinationNotice::Kind::gap, reason});
    group.gaps.push_back({"",
                          {},
                          position_->lsn,
                          std::max(frame.trimmed_to, position_->lsn),
                          frame.from,
                          std::move(reason)});
  }
  OLTP20_TRY(inbox_.apply(group));
  position_ = frame.from;
  return {};
}

// ---- work
// ----------------------------------------------------------------------------------------

bool Destination::work(Now now, DestinationActions* out) {
  if (!open_) {
    if (now.monotonic < open_at_) return false;
    open_database(now, out);
    return open_;
  }
  if (link_ == Link::none) {
    if (now.monotonic >= connect_at_) {
      link_ = Link::connecting;
      out->push_back(ConnectDeliver{next_hub_});
    }
    return false;
  }
  if (link_ != Link::streaming) return false;
  if (Status status = confirm(now, out); !status) {
    database_failed(status, now, out);
    return false;
  }
  if (!batches_.empty()) return apply_some(now, out);
  if (Status status = look_after(now); !status) database_failed(status, now, out);
  return false;
}

// ---- afterwards ---------------------------------------------------------------------------------

void Destination::acknowledge(DestinationActions* out) {
  out->push_back(SendDown{DeliverAck{consumed_bytes_, applied_, durable_}});
}

// While nothing comes: whether an operator has closed a gap shows as a conflict of the position.
Status Destination::look_after(Now now) {
  if (large_ || now.monotonic < look_at_) return {};
  look_at_ = now.monotonic + kLookAfter;
  if (held_back_.empty()) return {};
  ApplyGroup group;
  group.expected_position = position_;
  group.position = *position_;
  return inbox_.apply(group);
}

Micros Destination::wake_at() const {
  if (!open_) return open_at_;
  if (link_ == Link::none) return connect_at_;
  if (link_ != Link::streaming) return std::numeric_limits<Micros>::max();
  return held_back_.empty() ? confirm_at() : std::min(look_at_, confirm_at());
}

std::uint64_t Destination::transactions_in(const DeliverBatch& batch) {
  return static_cast<std::uint64_t>(std::ranges::count_if(batch.items, [](const DeliverItem& item) {
    return std::holds_alternative<DeliverPart>(item);
  }));
}

std::int64_t Destination::oldest_queued_us() const {
  for (const DeliverBatch& batch : batches_)
    for (const DeliverItem& item : batch.items)
      if (const auto* part = std::get_if<DeliverPart>(&item)) return part->received_us;
  return 0;
}

DestinationStatus Destination::status() const {
  DestinationStatus out;
  out.database_open = open_;
  out.attached = link_ == Link::streaming;
  out.hub = hub_;
  if (position_) out.position = *position_;
  out.marks = marks_.size();
  out.held_back = held_back_.size();
  out.queued_bytes = queued_bytes_;
  out.queued_transactions = queued_transactions_;
  if (queued_transactions_ != 0) out.oldest_us = oldest_queued_us();
  out.narrowed = narrowed_;
  out.trouble = trouble_;
  return out;
}

}  // namespace oltp20::spoke
