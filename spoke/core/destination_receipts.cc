// Receipts: what is told of marks once they are durable, at once after idleness and every
// kReceiptEvery under load (protocol rules 25, 28).
#include <algorithm>

#include "common/base/utf8.h"
#include "spoke/core/destination.h"

namespace oltp20::spoke {
namespace {

constexpr std::size_t kExceptionsOfOne = 256;  // in one receipt; more go as several

}  // namespace

// Whole characters only: the wire takes nothing else.
std::string Destination::shortened(std::string text) {
  if (text.size() > limits::kReceiptTextBytes) text.resize(limits::kReceiptTextBytes);
  if (std::optional<std::size_t> end = find_invalid_utf8(text)) text.resize(*end);
  return text;
}

void Destination::read_exceptions(const Exceptions& passed, const Exceptions& holes) {
  exceptional_.clear();
  for (const auto& [key, exception] : passed) add_exception(key, exception);
  for (const auto& [key, hole] : holes) {
    Exceptional& of = exceptional_[key];
    of.held_from = hole.from;
    of.held_to = hole.to;
    of.held_reason = shortened(hole.reason);
  }
}

void Destination::add_exception(const OriginEpoch& key, ReceiptException exception) {
  exception.reason = shortened(std::move(exception.reason));
  exception.code.resize(std::min<std::size_t>(exception.code.size(), 5));  // a SQLSTATE
  exceptional_[key].passed.push_back(std::move(exception));
  unsaid_.insert(key);
  // What is not told is kept, so it must not become much.
  if (exceptional_[key].passed.size() - exceptional_[key].told >= limits::kReceiptPage)
    ask_at_ = 0, urgent_ = true;
}

Receipt Destination::receipt_of(const OriginEpoch& key) {
  Receipt out{key.origin, key.epoch, 0, 0, 0, "", {}};
  auto mark = marks_.find(key);
  auto exceptional = exceptional_.find(key);
  if (mark != marks_.end()) {
    out.base = mark->second.base;
    out.seq = mark->second.seq;
  } else if (exceptional != exceptional_.end()) {
    out.base = out.seq = exceptional->second.held_from;
  }
  if (exceptional == exceptional_.end()) return out;
  Exceptional& of = exceptional->second;
  if (of.held_to > out.seq) {
    out.held_to = of.held_to;
    out.held_reason = of.held_reason;
  }
  out.exceptions.assign(of.passed.begin() + static_cast<std::ptrdiff_t>(of.told), of.passed.end());
  merge_oldest(&of.passed, limits::kReceiptExceptions);
  of.told = of.passed.size();
  return out;
}

// What is to be told, as it is now.
void Destination::ask_for_flush() {
  if (asked_) return;
  asked_ = Asked{};
  asked_->commits = inbox_.commits();
  asked_->applied = applied_;
  asked_->everything = std::exchange(say_everything_, false);
  if (asked_->everything) {
    for (auto& [key, of] : exceptional_) of.told = 0;
    for (const auto& [key, mark] : marks_) unsaid_.insert(key);
    for (const auto& [key, of] : exceptional_) unsaid_.insert(key);
  }
  for (const OriginEpoch& key : std::exchange(unsaid_, {}))
    asked_->receipts.push_back(receipt_of(key));
}

bool Destination::has_unsaid() const {
  return durable_ < applied_ || !unsaid_.empty() || say_everything_;
}

// While batches wait they come first; the flush that comes by itself is good enough then.
Micros Destination::confirm_at() const {
  if (large_ || !(asked_ || has_unsaid())) return std::numeric_limits<Micros>::max();
  return std::max(ask_at_, batches_.empty() ? applied_at_ + limits::kReceiptQuiet : look_again_at_);
}

Status Destination::confirm(Now now, DestinationActions* out) {
  if (now.monotonic < confirm_at()) return {};
  ask_for_flush();
  const bool at_once = batches_.empty() || urgent_;
  Result<std::uint64_t> flushed = inbox_.flushed(at_once);
  if (!flushed) return flushed.status();
  urgent_ = false;
  look_again_at_ = now.monotonic + limits::kFlushLook;
  if (at_once) ask_at_ = look_again_at_;
  while (asked_) {
    if (*flushed < asked_->commits) return {};
    ask_at_ = now.monotonic + limits::kReceiptEvery;
    if (durable_ < asked_->applied) {
      durable_ = asked_->applied;
      acknowledge(out);
    }
    send_receipts(*asked_, out);
    asked_.reset();
    if (has_unsaid()) ask_for_flush();  // what was committed since may have been flushed with it
  }
  return {};
}

void Destination::send_receipts(const Asked& asked, DestinationActions* out) {
  DeliverReceipts page;
  page.first = asked.everything;
  std::size_t size = 0;
  auto add = [&](Receipt receipt) {
    if (size != 0 && size + 1 + receipt.exceptions.size() > limits::kReceiptPage) {
      out->push_back(SendDown{std::exchange(page, {})});
      size = 0;
    }
    size += 1 + receipt.exceptions.size();
    page.receipts.push_back(std::move(receipt));
  };
  for (const Receipt& receipt : asked.receipts) {
    Receipt one = receipt;
    one.exceptions.clear();
    std::size_t at = 0;
    do {
      std::size_t end = std::min(at + kExceptionsOfOne, receipt.exceptions.size());
      one.exceptions.assign(receipt.exceptions.begin() + static_cast<std::ptrdiff_t>(at),
                            receipt.exceptions.begin() + static_cast<std::ptrdiff_t>(end));
      add(one);
      at = end;
    } while (at < receipt.exceptions.size());
  }
  page.last = asked.everything;
  if (asked.everything || !page.receipts.empty()) out->push_back(SendDown{std::move(page)});
}

}  // namespace oltp20::spoke
