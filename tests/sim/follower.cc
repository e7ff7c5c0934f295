#include "tests/sim/follower.h"

#include <algorithm>

#include "common/wire/hash_chain.h"
#include "tests/sim/world.h"

namespace oltp20::sim {
namespace {

constexpr std::size_t kPage = 4096;
constexpr std::size_t kEverything = 1 << 20;

std::string name_of(const OriginEpoch& key, Seq seq) {
  return key.origin + "/" + to_hex(key.epoch).substr(0, 6) + "/" + std::to_string(seq);
}

}  // namespace

Follower::Follower(World& world) : world_(world), dice_(world.seed(), "follower") {}

void Follower::fail(const std::string& check, const std::string& text) {
  world_.checks().fail(check, "the follower: " + text);
}

void Follower::start() {
  Micros pause = dice_.chance(4) ? dice_.between(100'000, 2'000'000) : dice_.between(500, 40'000);
  world_.scheduler().after(pause, [this] {
    turn();
    start();
  });
}

void Follower::turn() {
  if (dice_.chance(2)) return crash();
  auto hub = world_.hubs().begin();
  std::advance(hub, dice_.below(world_.hubs().size()));
  if (hub->second->is_up()) read(*hub->second, dice_.below(kPage));
  if (dice_.chance(30)) save();
  if (broken(Switch::followed_positions_apart)) saved_.streams = state_.streams;
}

void Follower::save() {
  saved_ = state_;
  saved_taken_ = taken_.size();
}

void Follower::crash() {
  state_ = saved_;
  while (taken_.size() > saved_taken_) {
    index_[taken_.back().key].erase(taken_.back().seq);
    taken_.pop_back();
  }
}

const Follower::Taken* Follower::find(const OriginEpoch& key, Seq seq) const {
  auto of = index_.find(key);
  if (of == index_.end()) return nullptr;
  auto at = of->second.find(seq);
  return at == of->second.end() ? nullptr : &taken_[at->second];
}

bool Follower::was_given_up(const OriginEpoch& key, Seq seq) const {
  return std::ranges::any_of(given_up_, [&](const Hole& hole) {
    return hole.key == key && hole.from < seq && seq <= hole.to;
  });
}

// ---- streams ------------------------------------------------------------------------------------

// A position of another incarnation, or with another hash, is not interpreted: the stream is read
// from its beginning, and the marks know what is there already.
void Follower::fit(const Hub& hub, Stream* stream) const {
  hub::JournalInfo info = hub.journal().info();
  StreamPosition& position = stream->position;
  bool fits = position.incarnation == info.incarnation && position.lsn <= info.head.lsn;
  if (broken(Switch::followed_position_not_compared) && position.lsn <= info.head.lsn) return;
  if (fits && position.lsn + 1 >= info.first_lsn) {
    Result<Hash> hash = hub.journal().stream_hash_at(position.lsn);
    if (hash && *hash == position.hash) return;
    fits = false;
  }
  if (!fits) {
    Result<Hash> start = hub.journal().stream_hash_at(0);
    *stream = {};
    stream->position = {info.incarnation, 0, start ? *start : Hash{}};
  }
  if (stream->position.lsn + 1 < info.first_lsn) restart_behind_trimmed(hub, stream);
}

void Follower::restart_behind_trimmed(const Hub& hub, Stream* stream) const {
  hub::JournalInfo info = hub.journal().info();
  stream->position = {info.incarnation, info.first_lsn - 1,
                      *hub.journal().stream_hash_at(info.first_lsn - 1)};
  stream->from_start = false;
  stream->last.clear();
}

// A page, and what is missing of its last transaction.
void Follower::read(const Hub& hub, std::size_t max_bytes) {
  Stream& stream = state_.streams[hub.name()];
  fit(hub, &stream);
  release(hub, &stream);
  hub::ReadCursor at{stream.position.lsn + 1, 0};
  std::vector<std::string> parts;
  do {
    Result<hub::ReadPage> page = hub.journal().read(at, max_bytes);
    if (!page) return fail("hash chain", page.status().message());
    for (hub::ReadItem& item : page->items) {
      const hub::Entry& entry = *item.entry;
      if (entry.parts > 0) parts.push_back(entry.parts == 1 ? entry.part : std::move(item.part));
      if (parts.size() < entry.parts) continue;
      if (stream_next(stream.position.hash, entry_hash(entry)) != entry.stream &&
          !broken(Switch::followed_position_not_compared))
        return fail("hash chain", "the stream of " + hub.name() + " does not continue at " +
                                      std::to_string(entry.lsn));
      pass(&stream, entry, parts);
      parts.clear();
      stream.position = {stream.position.incarnation, entry.lsn, entry.stream};
    }
    at = page->next;
  } while (!parts.empty());
}

// Reads again, of what was passed, the entries of origins whose hole another stream has filled.
void Follower::release(const Hub& hub, Stream* stream) {
  for (auto held = stream->held.begin(); held != stream->held.end();) {
    const OriginEpoch key = held->first;
    auto mark = state_.marks.find(key);
    bool trimmed = held->second.lsn < hub.journal().info().first_lsn;  // then look what is left
    if (mark == state_.marks.end() || (held->second.prev > mark->second.seq && !trimmed)) {
      ++held;
      continue;
    }
    hub::ReadCursor at{std::max(held->second.lsn, hub.journal().info().first_lsn), 0};
    held = stream->held.erase(held);
    std::vector<std::string> parts;
    while (at.lsn <= stream->position.lsn && !stream->held.contains(key)) {
      Result<hub::ReadPage> page = hub.journal().read(at, kPage);
      if (!page) return fail("hash chain", page.status().message());
      for (hub::ReadItem& item : page->items) {
        const hub::Entry& entry = *item.entry;
        if (entry.lsn > stream->position.lsn) break;
        if (entry.key() != key || entry.kind == hub::Entry::Kind::run) continue;
        parts.push_back(entry.parts == 1 ? entry.part : std::move(item.part));
        if (parts.size() < entry.parts) continue;
        if (!stream->held.contains(key)) take_or_hold(stream, entry, parts);
        parts.clear();
      }
      at = page->next;
      if (page->at_head) break;
    }
    held = stream->held.upper_bound(key);
  }
}

void Follower::pass(Stream* stream, const hub::Entry& entry,
                    const std::vector<std::string>& parts) {
  check_link(*stream, entry);
  stream->last[entry.key()] = entry.seq;
  if (entry.kind == hub::Entry::Kind::run) return run(entry);
  if (!stream->held.contains(entry.key())) take_or_hold(stream, entry, parts);
}

// Protocol rule 2: within a stream nothing but a run opens an origin, or opens it anew elsewhere.
void Follower::check_link(const Stream& stream, const hub::Entry& entry) {
  if (entry.kind == hub::Entry::Kind::run) return;
  auto last = stream.last.find(entry.key());
  bool opened = last == stream.last.end() ? !stream.from_start : last->second == entry.prev;
  if (!opened || entry.seq != entry.prev + 1)
    fail("runs", name_of(entry.key(), entry.seq) + " stands behind " + std::to_string(entry.prev) +
                     " in a stream where no run says so");
}

// ---- rest ---------------------------------------------------------------------------------------

bool Follower::is_settled() const {
  for (const auto& [name, hub] : world_.hubs()) {
    auto stream = state_.streams.find(name);
    if (stream == state_.streams.end() || stream->second.position != hub->journal().info().head)
      return false;
    for (const auto& [key, held] : stream->second.held)
      if (auto mark = state_.marks.find(key);
          mark != state_.marks.end() && held.prev <= mark->second.seq)
        return false;
  }
  return true;
}

void Follower::catch_up() {
  do {
    for (const auto& [name, hub] : world_.hubs()) read(*hub, kEverything);
  } while (!is_settled() && !world_.checks().breach());
}

std::optional<Follower::Hole> Follower::hole() const {
  std::optional<Hole> first;
  for (const auto& [name, stream] : state_.streams)
    for (const auto& [key, held] : stream.held)
      if (!first || key < first->key || (key == first->key && held.prev < first->to))
        first = Hole{key, state_.marks.at(key).seq, held.prev};
  return first;
}

void Follower::give_up(const Hole& hole) {
  given_up_.push_back(hole);
  state_.marks[hole.key] = {hole.to, std::nullopt};
}

}  // namespace oltp20::sim
