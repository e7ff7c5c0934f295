// Follower: what a hub will be to other hubs, as far as formats and rules go. It reads the durable
// entries of every hub's own stream, in pages, in no order between hubs, and takes each transaction
// once, whole, in the order of its (origin, epoch), wherever it comes from first.
//
// Rules of the protocol that it keeps: positions are compared before they are believed ("Names");
// only runs open an origin in a stream (2); a mark moves by prev <= mark < seq alone, otherwise
// that origin is held back in that stream until another stream fills the hole (10). Marks and
// positions are saved together: a crash takes both back.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "common/wire/envelope.h"
#include "hub/journal/journal.h"
#include "tests/sim/dice.h"

namespace oltp20::sim {

class World;
class Hub;

class Follower {
 public:
  struct Taken {
    OriginEpoch key;
    Seq seq = 0;
    Hash content, chain;
    bool tombstone = false, overlap = false;
    std::vector<RowId> rows;
  };
  struct Hole {  // (from, to]
    OriginEpoch key;
    Seq from = 0, to = 0;
  };

  explicit Follower(World& world);

  void start();
  bool is_settled() const;
  // Reads whatever there is.
  void catch_up();
  // The first hole behind which something is held back in every stream that has it.
  std::optional<Hole> hole() const;
  // As an operator does with a gap.
  void give_up(const Hole& hole);

  const std::vector<Taken>& taken() const { return taken_; }
  const Taken* find(const OriginEpoch& key, Seq seq) const;
  const std::vector<Hole>& given_up() const { return given_up_; }
  bool was_given_up(const OriginEpoch& key, Seq seq) const;

 private:
  struct Held {  // the first entry of an origin that did not fit
    Lsn lsn = 0;
    Seq prev = 0;
  };
  struct Stream {
    StreamPosition position;
    bool from_start = true;           // nothing in front of what was read was trimmed
    std::map<OriginEpoch, Seq> last;  // in this stream, taken or not
    std::map<OriginEpoch, Held> held;
  };
  struct Mark {
    Seq seq = 0;
    std::optional<Hash> chain;  // nullopt: not known, since something was given up or trimmed
  };
  struct State {  // what is saved
    std::map<std::string, Stream> streams;
    std::map<OriginEpoch, Mark> marks;
    std::map<OriginEpoch, EpochInfo> lives;
  };

  void turn();
  void save();
  void crash();
  void fit(const Hub& hub, Stream* stream) const;
  void restart_behind_trimmed(const Hub& hub, Stream* stream) const;
  void read(const Hub& hub, std::size_t max_bytes);
  void release(const Hub& hub, Stream* stream);
  void pass(Stream* stream, const hub::Entry& entry, const std::vector<std::string>& parts);
  void check_link(const Stream& stream, const hub::Entry& entry);
  void run(const hub::Entry& entry);
  void take_or_hold(Stream* stream, const hub::Entry& entry, const std::vector<std::string>& parts);
  void check_duplicate(const hub::Entry& entry);
  void take(const hub::Entry& entry, const std::vector<std::string>& parts);
  std::vector<RowId> check_rows(const hub::Entry& entry, const PartView& part);
  void fail(const std::string& check, const std::string& text);

  World& world_;
  Dice dice_;
  State state_, saved_;
  std::vector<Taken> taken_;
  std::size_t saved_taken_ = 0;
  std::map<OriginEpoch, std::map<Seq, std::size_t>> index_;
  std::vector<Hole> given_up_;
};

}  // namespace oltp20::sim
