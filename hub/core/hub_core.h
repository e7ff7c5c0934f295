// HubCore: the whole of a hub's decisions, as one step function.
//
//   step(event, now, &actions) for each event, then flush(now, &actions) after a batch of them.
//
// It owns ingest, delivery, receipts and the policy in force; hub/broker feeds it from one thread
// and carries the actions out in their order. The simulator does the same with models.
#pragma once

#include <memory>
#include <string>

#include "hub/core/delivery.h"
#include "hub/core/events.h"
#include "hub/core/ingest.h"
#include "hub/core/receipts.h"

namespace oltp20::hub {

class HubCore {
 public:
  HubCore(const std::string& hub, const JournalInfo& journal,
          const std::vector<OriginState>& origins, std::shared_ptr<const Policy> policy);

  void step(Event event, Now now, Actions* out);
  void flush(Now now, Actions* out);

  const Ingest& ingest() const { return ingest_; }
  const Delivery& delivery() const { return delivery_; }
  const Receipts& receipts() const { return receipts_; }
  const Policy& policy() const { return *policy_; }

 private:
  std::shared_ptr<const Policy> policy_;
  Ingest ingest_;
  Delivery delivery_;
  Receipts receipts_;
};

}  // namespace oltp20::hub
