// LinkState: the map of the network at one hub, and how maps become equal.
//
// 1. Of each hub the newest advertisement counts: the higher version; of two with the same version
//    (one was written before a wipe) the higher digest, which is arbitrary and the same everywhere.
// 2. What is new goes to every peer but the one that it came from. Who sends something old is
//    answered with what is newer.
// 3. A new peer and this hub tell each other their versions; each sends what the other lacks. So a
//    hub that knows one peer learns the rest. Every kSummaryPeriod peers compare their maps.
// 4. Only this hub makes advertisements of this hub. One that is newer than its own is from an
//    earlier life: outdone() tells, and the next advertise() exceeds it (protocol rule 20).
// 5. What was not heard anew for kAdvertisementAge leaves the graph and is passed on no more, but
//    stays known: its interest holds (protocol rule 11), and the same version is not taken again.
//    forget() ends it. Each hub ages by its own clock, from when it heard.
// 6. Nothing that `open` refuses changes anything; nor do more hubs than kMapHubs come in.
//
// One thread. No frame leaves before flush().
#pragma once

#include <functional>
#include <map>
#include <string>
#include <unordered_map>

#include "common/base/clock.h"
#include "hub/routing/advertisement.h"
#include "hub/routing/frames.h"

namespace oltp20::hub::routing {

class LinkState {
 public:
  // Checks bytes of others: open_advertisement() with the verifier.
  using Open = std::function<Result<std::shared_ptr<const SignedAdvertisement>>(
      std::shared_ptr<const std::string>)>;
  using Sign = std::function<std::string(std::string_view canonical)>;

  struct Known {
    std::shared_ptr<const SignedAdvertisement> advertisement;
    Micros heard_us = 0;
    bool expired = false;
  };
  using Map = std::map<std::string, Known, std::less<>>;

  // `last_version`: of this hub, as far as it remembers; 0 when it does not.
  LinkState(std::string self, std::uint64_t last_version, Open open, Sign sign);
  LinkState(LinkState&&) = default;  // not to be copied: the index points into the map

  void add_peer(const std::string& peer, Micros now, Outbox* out);
  void remove_peer(const std::string& peer) { peers_.erase(peer); }

  void receive(const std::string& peer, const Advertisements& frame, Micros now, Outbox* out);
  void receive(const std::string& peer, const Digest& frame, Outbox* out);
  void receive(const std::string& peer, const Summary& frame, Micros now, Outbox* out);

  // Ages, and compares with peers. At least once a second.
  void tick(Micros now, Outbox* out);
  // What this hub says of itself from now on; name and version are filled in.
  void advertise(Advertisement content, Micros now);
  // What waits for peers leaves.
  void flush(Outbox* out);

  // Ends the interest and the memory of a hub that has expired. Errors: not_found, conflict.
  Status forget(std::string_view hub);

  const std::string& self() const { return self_; }
  std::uint64_t version() const { return version_; }
  bool outdone() const { return outdone_; }
  const Map& map() const { return map_; }
  // Equal at two hubs when their maps are.
  std::uint64_t summary() const { return summary_; }
  // Changes whenever paths may.
  std::uint64_t revision() const { return revision_; }

 private:
  struct Peer {
    std::vector<std::shared_ptr<const SignedAdvertisement>> waiting;
    Micros summary_due_us = 0;
    bool differed = false;
  };

  Known* find(std::string_view hub) const;
  Status take(const std::string& peer, const std::shared_ptr<const std::string>& bytes, Micros now);
  void take_own(const SignedAdvertisement& heard);
  void put(std::shared_ptr<const SignedAdvertisement> advertisement, Micros now,
           const std::string& except);
  void answer(const std::string& peer, const Known& known);
  void send_digest(const std::string& peer, Outbox* out) const;

  std::string self_;
  std::uint64_t version_;
  Open open_;
  Sign sign_;
  bool outdone_ = false;
  Map map_;
  std::unordered_map<std::string_view, Known*> index_;  // of map_: most of what comes is known
  std::map<std::string, Peer, std::less<>> peers_;
  std::uint64_t summary_ = 0;
  std::uint64_t revision_ = 1;
  Micros expiry_due_us_ = 0;
};

}  // namespace oltp20::hub::routing
