// Lives: what this hub's stream holds of each origin, and which of an origin's lives is current.
//
// Two figures for each (origin, epoch): `accepted` is what has been put into a group, `durable`
// what is fsynced. Only `durable` is ever told to anybody (protocol rule 1). Owned by Ingest.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "common/base/ids.h"
#include "hub/journal/journal.h"

namespace oltp20::hub {

struct Life {
  EpochInfo info;
  Seq base = 0;  // of the current run
  ChainPosition accepted, durable;
  Lsn durable_lsn = 0;  // 0: not even the run record is durable
  bool settled() const { return accepted == durable && durable_lsn != 0; }
};

class Lives {
 public:
  void reset(const std::vector<OriginState>& states);

  Life* find(const std::string& origin, const Epoch& epoch);
  const Life* find(const std::string& origin, const Epoch& epoch) const;
  // The life that the stream heard of last; zero when it knows none.
  Epoch current(const std::string& origin) const;
  bool knows_origin(const std::string& origin) const { return origins_.contains(origin); }

  // Whether this life may attach; `ancestors`: its parent, that one's parent, … Errors: invalid,
  // exhausted; conflict, with what an operator can do (protocol rule 5).
  Status admit(const std::string& origin, const EpochInfo& epoch,
               const std::vector<EpochInfo>& ancestors) const;
  // An operator's decision; it takes the place of an earlier one, and ends with the next run.
  void adopt(const std::string& origin, const Epoch& epoch) { adopted_[origin] = epoch; }

  // A run record is on its way: the life becomes the current one.
  Life& open_run(const std::string& origin, const EpochInfo& epoch, const ChainPosition& base);
  // Everything that was accepted and is not durable is forgotten.
  void forget_accepted();

  // All of them, for status and for a recovered journal.
  std::vector<OriginState> durable() const;
  std::size_t size() const { return size_; }

 private:
  struct Origin {
    Epoch current;
    std::map<Epoch, Life> lives;
  };
  static std::string rival(const Origin& known, EpochInfo life,
                           const std::vector<EpochInfo>& ancestors);

  std::map<std::string, Origin> origins_;
  std::map<std::string, Epoch> adopted_;
  std::size_t size_ = 0;
};

}  // namespace oltp20::hub
