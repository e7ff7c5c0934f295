// Every bound of the system that is not configuration, by name, in one place.
#pragma once

#include <cstddef>
#include <cstdint>

#include "common/base/clock.h"

namespace oltp20::limits {

// --- what travels ---
inline constexpr std::size_t kNameBytes = 63;            // hub, spoke and region names
inline constexpr std::size_t kTypeBytes = 255;           // a message type
inline constexpr std::size_t kRowBytes = 1000 * 1024;    // payload and headers of one row
inline constexpr std::size_t kPartBytes = 256 * 1024;    // a part is closed when it exceeds this
inline constexpr std::size_t kFrameBytes = 1280 * 1024;  // one gRPC message: a part of one row over
                                                         // kPartBytes, and its frame
inline constexpr std::size_t kPartMostBytes = kPartBytes + kRowBytes + 8 * 1024;  // with headers
inline constexpr std::uint64_t kSeq = std::uint64_t{1} << 62;  // seqs, lsns: bigint in SQL
inline constexpr std::uint32_t kTransactionRows = 10'000'000;
inline constexpr std::uint8_t kHops = 8;  // answers of handlers to answers; a check in SQL, too
inline constexpr std::size_t kEntryRoutes = 64;  // (type, destination) pairs listed with an entry

// --- windows and queues ---
inline constexpr std::size_t kForwardWindowBytes = 4 << 20;  // sent by an origin, not yet journaled
inline constexpr std::size_t kDeliverWindowBytes = 8
                                                   << 20;  // sent to a destination, not yet applied
inline constexpr std::size_t kBatchBytes = 128 * 1024;     // parts are put together up to this
inline constexpr std::size_t kBatchParts = 256;
inline constexpr std::size_t kGroupBytes = 4 << 20;     // one fsync of the journal
inline constexpr std::size_t kTailBytes = 64 << 20;     // newest entries kept in the hub's memory
inline constexpr std::size_t kReadPageBytes = 1 << 20;  // one read from the journal
inline constexpr std::size_t kStreamInflight = 16;      // received frames not yet taken, a stream
inline constexpr std::size_t kCoreQueue = 65536;        // events waiting for the hub's core
inline constexpr std::size_t kKnownPage = 4096;         // (origin, epoch) pairs in one frame
inline constexpr std::size_t kSpanPage = 4096;          // spans in one batch
inline constexpr std::size_t kSubscriptions = 256;      // patterns a spoke may ask for
inline constexpr std::size_t kTickPage = 131072;        // transactions of a tick held in memory
inline constexpr std::size_t kApplyGroup = 512;         // source transactions in one SQL commit
inline constexpr std::size_t kApplyGroupBytes = 1 << 20;
inline constexpr std::size_t kLives = 1000;           // epochs of one origin at a hub
inline constexpr std::size_t kAncestors = 16;         // lives that a hello names besides its own
inline constexpr std::size_t kLinksOfOne = 16;        // links of one spoke that have not said hello
inline constexpr std::size_t kTransientRetries = 5;   // then the one transaction's origin waits
inline constexpr std::size_t kDepartedSpokes = 1000;  // whose lag a hub goes on to show
inline constexpr std::size_t kRunOrigins = 1'000'000;  // (origin, epoch) pairs a hub remembers

static_assert(kPartMostBytes + kBatchBytes + 128 * (kBatchParts + kSpanPage) < 2 * kFrameBytes,
              "what is accepted can be delivered");

// --- time ---
inline constexpr Micros kHelloWithin = 30 * kSecond;  // a link that is not streaming by then ends
inline constexpr Micros kHeartbeat = 1 * kSecond;
inline constexpr Micros kSilence = 5 * kSecond;  // no frame for so long: the link is dead
inline constexpr Micros kReconnectFirst = 50 * kMillisecond;
inline constexpr Micros kReconnectMost = 5 * kSecond;
inline constexpr Micros kIdlePoll = 100 * kMillisecond;     // behind NOTIFY
inline constexpr Micros kPreparedPoll = 20 * kMillisecond;  // where the trigger may not notify
inline constexpr Micros kCheckpoint = 1 * kSecond;          // the origin's confirmed chain position
inline constexpr Micros kSpanFlush = 1 * kSecond;  // marks and positions of what did not match

}  // namespace oltp20::limits
