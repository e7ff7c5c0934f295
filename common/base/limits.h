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
inline constexpr std::size_t kReceiptPage = 1024;       // receipts and exceptions in one frame
inline constexpr std::size_t kReceiptTextBytes = 300;   // of a receipt's sentences
inline constexpr std::size_t kReceiptExceptions = 64;   // of one (origin, epoch), told anew
inline constexpr std::size_t kReceiptsKept = 262'144;   // (destination, origin, epoch) at a hub
inline constexpr std::size_t kReceiptRuns = 4096;       // stretches whose receipts nobody wants
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
inline constexpr Micros kReceiptEvery = 100 * kMillisecond;  // a destination's, under load
inline constexpr Micros kReceiptQuiet = 2 * kMillisecond;    // nothing came: a flush harms nobody
inline constexpr Micros kFlushLook = 20 * kMillisecond;      // whether the log is flushed by itself
inline constexpr Micros kReceiptPass = 10 * kMillisecond;    // a hub's to one origin
inline constexpr Micros kWaiterLook = 10 * kMillisecond;     // whether somebody waits for a receipt
inline constexpr Micros kReceiptWishes = 5 * kSecond;        // set_receipts() takes effect within
inline constexpr Micros kSpanFlush = 1 * kSecond;  // marks and positions of what did not match

// --- the network of hubs: the map ---
inline constexpr std::size_t kMapHubs = 4096;         // hubs that a map holds
inline constexpr std::size_t kMapPeers = 64;          // links of one hub
inline constexpr std::size_t kInterestPatterns = 64;  // of a region, coarsened
inline constexpr std::size_t kSignatureBytes =
    8 * 1024;  // with the certificate, where it needs one
inline constexpr std::size_t kAdvertisementBytes = 48 * 1024;    // as it travels
inline constexpr std::size_t kAdvertisementsBytes = 256 * 1024;  // in one frame, one may exceed it
inline constexpr std::size_t kDigestPage = 1024;                 // hubs in one frame
inline constexpr std::size_t kRouteHubs = 24;  // in a source route, with both ends
inline constexpr Micros kAdvertiseRefresh = 15 * 60 * kSecond;
inline constexpr Micros kAdvertisementAge = 60 * 60 * kSecond;  // not heard anew: off the map
inline constexpr Micros kSummaryPeriod = 30 * kSecond;          // peers compare their maps
inline constexpr Micros kAdvertiseUrgent = 250 * kMillisecond;  // least between two of one hub
inline constexpr Micros kAdvertiseSoon = 1 * kSecond;           // the same, when links came up
inline constexpr Micros kAdvertiseCalm = 5 * kSecond;           // the same, when only costs moved
inline constexpr Micros kRecompute = 100 * kMillisecond;        // least between two of paths
inline constexpr Micros kReconsider = 1 * kSecond;  // while a better path waits to be believed

// --- the network of hubs: links ---
inline constexpr Micros kProbePeriod = 500 * kMillisecond;
inline constexpr Micros kProbeProgress = 2500 * kMillisecond;  // no answer for so long: dead
inline constexpr Micros kRttNoise = 1 * kMillisecond;          // what cannot be told apart
inline constexpr Micros kRttMost = 3 * kSecond;                // cost grows no further
inline constexpr Micros kProveFirst = 2 * kSecond;       // answers for so long, then a link is used
inline constexpr Micros kProveMost = 64 * kSecond;       // doubled with each death up to this
inline constexpr Micros kForgiveDeath = 60 * kSecond;    // of life that make up for one death
inline constexpr Micros kDrainedCost = 1000 * kSecond;   // above any path that is not drained
inline constexpr unsigned kSignificantPercent = 20;      // of a cost, to advertise it anew
inline constexpr unsigned kRouteMarginPercent = 10;      // better by so much, to change a path
inline constexpr Micros kRouteSmoothing = 10 * kSecond;  // time constant of a path's smoothed cost
static_assert(kRttMost * static_cast<Micros>(kRouteHubs) < kDrainedCost);

}  // namespace oltp20::limits
