// What a fuzzer demands of the product beyond not crashing. A broken demand ends the process, which
// libFuzzer reports together with the input; NDEBUG does not switch it off.
#pragma once

#include <cstdio>
#include <cstdlib>

#define DEMAND(condition)                                                          \
  do {                                                                             \
    if (!(condition)) {                                                            \
      std::fprintf(stderr, "%s:%d: broken: %s\n", __FILE__, __LINE__, #condition); \
      std::abort();                                                                \
    }                                                                              \
  } while (false)
