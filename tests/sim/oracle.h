// Oracle: what was really committed where, who was allowed what when. Written down by the
// application's and the operator's side of the simulation, with no help of the code under test;
// patterns are matched here by a matcher of its own.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "common/base/clock.h"
#include "common/base/ids.h"

namespace oltp20::sim {

struct OracleRow {
  RowId id;
  std::string type, payload, destination;
};

struct OracleTransaction {
  enum class Fate { open, rolled_back, committed, lost_unflushed, lost_restored };
  std::string origin;
  std::vector<OracleRow> rows;
  Fate fate = Fate::open;
  Micros committed_at = 0;
  // Moments, of one counter: when its order was drawn, and when others could see it.
  std::uint64_t drawn = 0, visible = 0;
};

struct Permission {
  std::vector<std::string> publish, receive;
};
using Permissions = std::map<std::string, Permission>;  // by spoke

class Oracle {
 public:
  // ---- what happened ----
  std::size_t begin(const std::string& origin, std::vector<OracleRow> rows);
  void drawn(std::size_t transaction) { at(transaction).drawn = ++moment_; }
  void committed(std::size_t transaction, Micros now);
  void rolled_back(std::size_t transaction) { at(transaction).fate = Fate::rolled_back; }
  void lost(std::size_t transaction, bool restored);
  void spoke_known(const std::string& spoke, const std::string& region) {
    regions_[spoke] = region;
  }
  // Returns the version's number.
  std::size_t policy_changed(Permissions permissions, Micros now);
  void subscribed(const std::string& spoke, std::vector<std::string> patterns, Micros now);

  // ---- what follows ----
  using Fate = OracleTransaction::Fate;
  const std::vector<OracleTransaction>& transactions() const { return transactions_; }
  struct Place {
    std::size_t transaction, row;
  };
  std::optional<Place> find(const RowId& id) const;
  const OracleRow& row(Place place) const {
    return transactions_[place.transaction].rows[place.row];
  }
  std::size_t policy_version() const { return policies_.size() - 1; }
  const Permissions& permissions() const { return policies_.back().second; }
  const std::vector<std::string>& subscription(const std::string& spoke) const {
    return subscriptions_.at(spoke).back().second;
  }

  bool may_publish(const std::string& spoke, const OracleRow& row, std::size_t policy) const;
  // Whether the destination wants and may have the row of this origin.
  bool is_for(const std::string& destination, const std::string& origin, const OracleRow& row,
              std::size_t policy, const std::vector<std::string>& subscription) const;
  // Under everything that was in force since the transaction was committed; under anything.
  bool always_for(const std::string& destination, std::size_t transaction,
                  const OracleRow& row) const;
  bool ever_for(const std::string& destination, std::size_t transaction,
                const OracleRow& row) const;
  bool always_publishable(std::size_t transaction) const;

 private:
  OracleTransaction& at(std::size_t transaction) { return transactions_[transaction]; }
  template <typename Verdict>
  bool over_time(const std::string& destination, Micros since, bool all, Verdict verdict) const;

  std::vector<OracleTransaction> transactions_;
  std::map<RowId, Place> rows_;
  std::uint64_t moment_ = 0;
  std::map<std::string, std::string> regions_;
  std::vector<std::pair<Micros, Permissions>> policies_;
  std::map<std::string, std::vector<std::pair<Micros, std::vector<std::string>>>> subscriptions_;
};

// `>`, `word.*`, `word.>` or a type.
bool pattern_covers(const std::string& pattern, const std::string& type);

}  // namespace oltp20::sim
