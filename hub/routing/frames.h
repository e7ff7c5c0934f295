// What two neighbouring hubs say to each other about the network. The probe is the Heartbeat of
// common/wire/frames.h. All of it is input and never trusted.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <variant>
#include <vector>

#include "common/base/status.h"
#include "common/wire/frames.h"

namespace oltp20::hub::routing {

// Signed advertisements, as they came.
struct Advertisements {
  std::vector<std::shared_ptr<const std::string>> bytes;
};

// A page of what the sender has: all that it knows of the hubs behind `after`, up to the last that
// is listed, or to the end when `last`. Names ascend.
struct Digest {
  struct Entry {
    std::string hub;
    std::uint64_t version = 0;
    std::uint64_t digest = 0;
  };
  std::string after;
  std::vector<Entry> entries;
  bool last = true;
};

// The whole map in one number: whoever differs twice in a row sends a digest.
struct Summary {
  std::uint64_t map = 0;
};

using Frame = std::variant<Heartbeat, Summary, Digest, Advertisements>;

// What a step wants done: frames to send, in order; what was refused of whom, for log and metrics.
struct Outbox {
  struct Send {
    std::string peer;
    Frame frame;
  };
  struct Refusal {
    std::string peer;
    Status status;
  };
  std::vector<Send> sends;
  std::vector<Refusal> refusals;
};

}  // namespace oltp20::hub::routing
