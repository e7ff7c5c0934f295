// Stands in front of common/base/limits.h in the simulator's build: the shipped limits, but
// windows, pages, parts and groups so small that a few hundred little transactions fill every one
// of them.
#pragma once

#define kPartBytes kShippedPartBytes
#define kFrameBytes kShippedFrameBytes
#define kForwardWindowBytes kShippedForwardWindowBytes
#define kDeliverWindowBytes kShippedDeliverWindowBytes
#define kBatchBytes kShippedBatchBytes
#define kBatchParts kShippedBatchParts
#define kGroupBytes kShippedGroupBytes
#define kTailBytes kShippedTailBytes
#define kReadPageBytes kShippedReadPageBytes
#define kApplyGroup kShippedApplyGroup
#define kApplyGroupBytes kShippedApplyGroupBytes
#include "../../../../../common/base/limits.h"
#undef kPartBytes
#undef kFrameBytes
#undef kForwardWindowBytes
#undef kDeliverWindowBytes
#undef kBatchBytes
#undef kBatchParts
#undef kGroupBytes
#undef kTailBytes
#undef kReadPageBytes
#undef kApplyGroup
#undef kApplyGroupBytes

namespace oltp20::limits {

inline constexpr std::size_t kPartBytes = 600;
inline constexpr std::size_t kFrameBytes = 16 * 1024;
inline constexpr std::size_t kForwardWindowBytes = 4 * 1024;
inline constexpr std::size_t kDeliverWindowBytes = 6 * 1024;
inline constexpr std::size_t kBatchBytes = 1024;
inline constexpr std::size_t kBatchParts = 8;
inline constexpr std::size_t kGroupBytes = 6 * 1024;
inline constexpr std::size_t kTailBytes = 8 * 1024;
inline constexpr std::size_t kReadPageBytes = 2 * 1024;
inline constexpr std::size_t kApplyGroup = 6;
inline constexpr std::size_t kApplyGroupBytes = 4 * 1024;

}  // namespace oltp20::limits
