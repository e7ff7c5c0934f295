// What gRPC's completion queue promises and the thread sanitizer cannot see, since gRPC is not
// built with it: whatever was done before an operation was started happened before its tag comes
// out. Nothing in other builds. Private to common/link.
#pragma once

#if defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define OLTP20_THREAD_SANITIZER 1
#endif
#endif
#if defined(__SANITIZE_THREAD__)
#define OLTP20_THREAD_SANITIZER 1
#endif
#if defined(OLTP20_THREAD_SANITIZER)
#include <sanitizer/tsan_interface.h>
#endif

namespace oltp20 {

inline void hand_over([[maybe_unused]] void* tag) {
#if defined(OLTP20_THREAD_SANITIZER)
  __tsan_release(tag);
#endif
}
inline void take_over([[maybe_unused]] void* tag) {
#if defined(OLTP20_THREAD_SANITIZER)
  __tsan_acquire(tag);
#endif
}

}  // namespace oltp20
