#include "hub/core/hub_core.h"

#include "common/base/limits.h"
#include "common/base/overloaded.h"

namespace oltp20::hub {

HubCore::HubCore(const std::string& hub, const JournalInfo& journal,
                 const std::vector<OriginState>& origins, std::shared_ptr<const Policy> policy)
    : policy_(policy),
      ingest_(hub, journal, origins, policy),
      delivery_(hub, journal, &ingest_.lives(), policy),
      receipts_(limits::kReceiptsKept) {}

void HubCore::step(Event event, Now now, Actions* out) {
  std::visit(Overloaded{
                 [&](LinkOpened& e) {
                   e.forward ? ingest_.opened(e, now, out) : delivery_.opened(e, now, out);
                 },
                 [&](ForwardReceived& e) { ingest_.received(e, now, out); },
                 [&](DeliverReceived& e) { delivery_.received(e, &receipts_, now, out); },
                 [&](LinkClosed& e) {
                   ingest_.closed(e.link, out);
                   delivery_.closed(e.link, out);
                   receipts_.closed(e.link);
                 },
                 [&](GroupDone& e) { delivery_.durable(ingest_.group_done(e.status, now, out)); },
                 [&](JournalRecovered& e) {
                   if (ingest_.recovered(e, now, out)) delivery_.recovered(e.info, out);
                 },
                 [&](HashFound& e) { delivery_.hash_found(e, now, out); },
                 [&](PageFound& e) { delivery_.page_found(std::move(e), now, out); },
                 [&](JournalTrimmed& e) { delivery_.trimmed(e.first_lsn); },
                 [&](PolicyChanged& e) {
                   policy_ = e.policy;
                   ingest_.policy_changed(e.policy);
                   delivery_.policy_changed(e.policy, out);
                 },
                 [&](EpochAdopted& e) { ingest_.adopt(e, out); },
                 [&](TimePassed&) {
                   ingest_.time_passed(now, out);
                   delivery_.time_passed(now, out);
                 },
             },
             event);
}

void HubCore::flush(Now now, Actions* out) {
  ingest_.flush(out);
  delivery_.flush(now, out);
  for (const auto& [origin, link] : ingest_.take_streaming()) receipts_.attached(origin, link);
  receipts_.flush(now, out);  // last: what travels comes first
}

}  // namespace oltp20::hub
