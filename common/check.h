#pragma once

#include <cstdio>
#include <cstdlib>

// HF_CHECK(condition): a bug in Holdfast, never a peer's fault, ends the process with the place
// that saw it. On in every build, release included: a gateway that goes on with broken state hurts
// more devices than one that restarts.
#define HF_CHECK(condition)                                                              \
  do {                                                                                   \
    if (!(condition)) [[unlikely]] {                                                     \
      std::fprintf(stderr, "%s:%d: check failed: %s\n", __FILE__, __LINE__, #condition); \
      std::abort();                                                                      \
    }                                                                                    \
  } while (false)
