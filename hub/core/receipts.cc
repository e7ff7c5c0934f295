#include "hub/core/receipts.h"

#include <algorithm>

#include "common/base/limits.h"
#include "common/base/subject.h"

namespace oltp20::hub {

Status Receipts::check(const Receipt& receipt, const std::string& destination) {
  auto wrong = [](const char* what) {
    return Status(Code::invalid, std::string("a receipt with ") + what);
  };
  if (!is_name(receipt.origin) || receipt.origin == destination) return wrong("no origin's name");
  if (receipt.base > receipt.seq || receipt.seq > limits::kSeq || receipt.held_to > limits::kSeq)
    return wrong("numbers beyond every limit");
  if (receipt.held_reason.size() > limits::kReceiptTextBytes) return wrong("a long reason");
  for (const ReceiptException& exception : receipt.exceptions)
    if (exception.from >= exception.to || exception.to > receipt.seq ||
        exception.code.size() > limits::kReceiptTextBytes ||
        exception.reason.size() > limits::kReceiptTextBytes)
      return wrong("an exception that is none");
  return {};
}

Status Receipts::said(const Identity& destination, const Incarnation& database,
                      const DeliverReceipts& frame) {
  if (frame.receipts.size() > limits::kReceiptPage)
    return Status(Code::invalid, "more receipts in one frame than there may be");
  for (const Receipt& receipt : frame.receipts) OLTP20_TRY(check(receipt, destination.name));
  if (frame.first) ++statements_[destination.name];
  for (const Receipt& receipt : frame.receipts) keep(destination, database, receipt);
  if (frame.last) retract_unsaid(destination.name);
  return {};
}

void Receipts::keep(const Identity& destination, const Incarnation& database,
                    const Receipt& receipt) {
  const Key key{destination.name, receipt.epoch};
  auto of = origins_.find(receipt.origin);
  if (of == origins_.end() || !of->second.words.contains(key)) {
    if (kept_ >= most_) {
      ++dropped_;
      return;
    }
    ++kept_;
    of = origins_.try_emplace(receipt.origin).first;
    origins_of_[destination.name].insert(receipt.origin);
  }
  Origin& origin = of->second;
  Word& word = origin.words[key];
  auto known = std::move(word.latest.receipt.exceptions);
  word.latest = {destination.name, destination.region, database, receipt};
  word.latest.receipt.origin.clear();  // whoever gets it knows
  word.statement = statements_[destination.name];
  add_exceptions(word, std::move(known));
  // One who is away is told the newest; what waits for one who is here goes out soon.
  if (origin.link != 0) {
    due_.insert(receipt.origin);
  } else {
    merge_oldest(&word.latest.receipt.exceptions, limits::kReceiptExceptions);
    word.told = std::min(word.told, word.latest.receipt.exceptions.size());
  }
  origin.unsaid.insert(key);
}

// Puts `known` in front of what has just been said. A lower mark takes back what lay above it; what
// is said anew is not kept twice.
void Receipts::add_exceptions(Word& word, std::vector<ReceiptException> known) {
  Receipt& receipt = word.latest.receipt;
  std::vector<ReceiptException> all;
  std::size_t told = 0;
  for (std::size_t i = 0; i < known.size(); ++i) {
    bool anew = std::ranges::any_of(receipt.exceptions, [&](const ReceiptException& exception) {
      return exception.to == known[i].to;
    });
    if (anew || known[i].to > receipt.seq) continue;
    told += i < word.told;
    all.push_back(std::move(known[i]));
  }
  std::ranges::move(receipt.exceptions, std::back_inserter(all));
  word.told = told;
  receipt.exceptions = std::move(all);
}

// The destination has said everything: a mark that was not among it is gone.
void Receipts::retract_unsaid(const std::string& destination) {
  auto origins = origins_of_.find(destination);
  if (origins == origins_of_.end()) return;
  for (const std::string& name : origins->second) {
    Origin& origin = origins_.at(name);
    auto at = origin.words.lower_bound({destination, Epoch{}});
    for (; at != origin.words.end() && at->first.destination == destination; ++at) {
      Receipt& receipt = at->second.latest.receipt;
      if (at->second.statement == statements_[destination] || receipt.seq == 0) continue;
      receipt = {"", receipt.epoch, 0, 0, 0, "", {}};
      at->second.told = 0u;
      origin.unsaid.insert(at->first);
      if (origin.link != 0) due_.insert(name);
    }
  }
}

void Receipts::attached(const std::string& name, LinkId link) {
  Origin& origin = origins_[name];
  origin.link = link;
  origin.pass_at = 0;
  links_[link] = name;
  for (auto& [key, word] : origin.words) {
    word.told = 0;
    origin.unsaid.insert(key);
  }
  due_.insert(name);
}

void Receipts::closed(LinkId link) {
  auto at = links_.find(link);
  if (at == links_.end()) return;
  auto origin = origins_.find(at->second);
  if (origin != origins_.end() && origin->second.link == link) {
    origin->second.link = 0;
    due_.erase(at->second);
    if (origin->second.words.empty()) origins_.erase(origin);
  }
  links_.erase(at);
}

void Receipts::flush(Now now, Actions* out) {
  for (auto at = due_.begin(); at != due_.end();) {
    Origin& origin = origins_.at(*at);
    if (now.monotonic < origin.pass_at) {
      ++at;
      continue;
    }
    if (!origin.unsaid.empty()) origin.pass_at = now.monotonic + limits::kReceiptPass;
    pass_on(origin, out);
    at = due_.erase(at);
  }
}

void Receipts::pass_on(Origin& origin, Actions* out) {
  ForwardReceipts frame;
  std::size_t size = 0;
  auto send = [&] {
    if (!frame.receipts.empty()) out->push_back(SendForward{origin.link, std::exchange(frame, {})});
    size = 0;
  };
  for (const Key& key : std::exchange(origin.unsaid, {})) {
    Word& word = origin.words.at(key);
    std::size_t cost = 1 + word.latest.receipt.exceptions.size() - word.told;
    if (size != 0 && size + cost > limits::kReceiptPage) send();
    size += cost;
    frame.receipts.push_back(next(word));
  }
  send();
}

// With the exceptions that were not told; of those that were, the newest stay, to be told anew.
DestinationReceipt Receipts::next(Word& word) {
  DestinationReceipt out = word.latest;
  auto& all = word.latest.receipt.exceptions;
  auto& untold = out.receipt.exceptions;
  untold.erase(untold.begin(), untold.begin() + static_cast<std::ptrdiff_t>(word.told));
  merge_oldest(&all, limits::kReceiptExceptions);
  word.told = all.size();
  return out;
}

}  // namespace oltp20::hub
