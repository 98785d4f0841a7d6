#include "tests/bench/load_process.h"

#include <sys/prctl.h>

#include <csignal>

namespace holdfast::bench {

void prepare_load_process() {
  // By default the kernel may be 50 us late, which is longer than many answers take.
  prctl(PR_SET_TIMERSLACK, 1);
  // OpenSSL writes without MSG_NOSIGNAL.
  std::signal(SIGPIPE, SIG_IGN);
}

}  // namespace holdfast::bench
