#include "hub/core/lives.h"

#include "common/base/limits.h"

namespace oltp20::hub {

void Lives::reset(const std::vector<OriginState>& states) {
  origins_.clear();
  size_ = 0;
  std::map<std::string, Lsn> newest;
  for (const OriginState& state : states) {
    Origin& origin = origins_[state.origin];
    origin.lives[state.life.id] = {state.life, state.base, state.last, state.last, state.lsn};
    ++size_;
    Lsn& seen = newest[state.origin];
    if (state.lsn >= seen) {
      seen = state.lsn;
      origin.current = state.life.id;
    }
  }
}

Life* Lives::find(const std::string& origin, const Epoch& epoch) {
  return const_cast<Life*>(std::as_const(*this).find(origin, epoch));
}

const Life* Lives::find(const std::string& origin, const Epoch& epoch) const {
  auto at = origins_.find(origin);
  if (at == origins_.end()) return nullptr;
  auto life = at->second.lives.find(epoch);
  return life == at->second.lives.end() ? nullptr : &life->second;
}

Epoch Lives::current(const std::string& origin) const {
  auto at = origins_.find(origin);
  return at == origins_.end() ? Epoch{} : at->second.current;
}

Status Lives::admit(const std::string& origin, const EpochInfo& epoch) const {
  auto at = origins_.find(origin);
  if (at == origins_.end() || at->second.current == epoch.id) return {};
  if (adopted_.contains({origin, epoch.id})) return {};
  std::string remedy =
      "; if this database is the right one, an operator says so with: oltp20ctl spokes adopt " +
      origin + " " + to_hex(epoch.id);
  if (!at->second.lives.contains(epoch.id) && at->second.lives.size() >= limits::kLives)
    return Status(Code::exhausted, "spoke/" + origin + " has begun " +
                                       std::to_string(at->second.lives.size()) +
                                       " epochs, which is as many as a hub remembers: something "
                                       "restores its database again and again");
  if (at->second.lives.contains(epoch.id))
    return Status(Code::conflict, "epoch " + to_hex(epoch.id) + " of spoke/" + origin +
                                      " was succeeded by epoch " + to_hex(at->second.current) +
                                      ": two databases claim to be this spoke" + remedy);
  for (const auto& [id, life] : at->second.lives)
    if (!epoch.parent.is_zero() && life.info.parent == epoch.parent)
      return Status(Code::conflict, "epoch " + to_hex(epoch.id) + " and epoch " + to_hex(id) +
                                        " of spoke/" + origin +
                                        " both continue the same life: two databases claim to be "
                                        "this spoke" +
                                        remedy);
  return {};
}

Life& Lives::open_run(const std::string& origin, const EpochInfo& epoch,
                      const ChainPosition& base) {
  Origin& o = origins_[origin];
  auto [at, fresh] = o.lives.try_emplace(epoch.id);
  size_ += fresh;
  at->second.info = epoch;
  at->second.base = base.seq;
  at->second.accepted = base;
  o.current = epoch.id;
  return at->second;
}

void Lives::forget_accepted() {
  std::vector<OriginState> states = durable();
  reset(states);
}

std::vector<OriginState> Lives::durable() const {
  std::vector<OriginState> out;
  for (const auto& [name, origin] : origins_)
    for (const auto& [id, life] : origin.lives)
      if (life.durable_lsn != 0)
        out.push_back({name, life.info, life.base, life.durable, life.durable_lsn});
  return out;
}

}  // namespace oltp20::hub
