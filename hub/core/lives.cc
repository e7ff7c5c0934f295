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

Status Lives::admit(const std::string& origin, const EpochInfo& epoch,
                    const std::vector<EpochInfo>& ancestors) const {
  Epoch parent = epoch.parent;
  for (const EpochInfo& ancestor : ancestors) {
    if (ancestor.id != parent || parent.is_zero())
      return Status(Code::invalid, "the lives in the hello of spoke/" + origin +
                                       " do not descend from one another");
    parent = ancestor.parent;
  }
  auto at = origins_.find(origin);
  if (at == origins_.end()) return {};
  const Origin& known = at->second;
  auto adopted = adopted_.find(origin);
  if (adopted == adopted_.end() ? known.current == epoch.id : adopted->second == epoch.id)
    return {};
  std::string why;
  if (adopted != adopted_.end())
    why = "an operator has decided for epoch " + to_hex(adopted->second);
  else if (known.lives.contains(epoch.id))
    why = "it was succeeded by epoch " + to_hex(known.current);
  else if (known.lives.size() >= limits::kLives)
    return Status(Code::exhausted, "spoke/" + origin + " has begun " +
                                       std::to_string(known.lives.size()) +
                                       " epochs, which is as many as a hub remembers: something "
                                       "restores its database again and again");
  else
    why = rival(known, epoch, ancestors);
  if (why.empty()) return {};
  return Status(Code::conflict,
                "epoch " + to_hex(epoch.id) + " of spoke/" + origin + " may not attach: " + why +
                    ". Two databases claim to be this spoke; if this one is the right one, an "
                    "operator says so with: oltp20ctl spokes adopt " +
                    origin + " " + to_hex(epoch.id));
}

// Why a life that is new here cannot be the continuation of what is known; "" when it can. It, and
// the lives between it and a known one, must be their parents' only children.
std::string Lives::rival(const Origin& known, EpochInfo life,
                         const std::vector<EpochInfo>& ancestors) {
  for (std::size_t i = 0;; ++i) {
    for (const auto& [id, other] : known.lives)
      if (other.info.parent == life.parent && id != life.id)
        return life.parent.is_zero()
                   ? "epoch " + to_hex(id) + " is known, and this one does not descend from it"
                   : "epoch " + to_hex(id) + " continues the same life as epoch " + to_hex(life.id);
    if (known.lives.contains(life.parent)) return "";
    if (i == ancestors.size()) return "it descends from no life that is known here";
    life = ancestors[i];
  }
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
  adopted_.erase(origin);
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
