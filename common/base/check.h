// CHECK: an assertion that stays on in release builds.
//
// It guards what can only be a bug of ours. Input from a peer, a file, a database or a person is
// never trusted to a CHECK: it gets a Status with a sentence that says what to do.
#pragma once

#include <cstdio>
#include <cstdlib>

#define CHECK(condition)                                                                   \
  do {                                                                                     \
    if (!(condition)) [[unlikely]] {                                                       \
      std::fprintf(stderr, "%s:%d: this is a bug: %s does not hold\n", __FILE__, __LINE__, \
                   #condition);                                                            \
      std::abort();                                                                        \
    }                                                                                      \
  } while (false)
