#include "gateway/api/node_view.h"

namespace holdfast {

uint64_t NodeView::sum(Counter LoopCounters::*counter) const {
  uint64_t total = 0;
  for (const LoopCounters* loop : loops) total += (loop->*counter).value();
  return total;
}

uint64_t NodeView::closed(CloseReason reason) const {
  uint64_t total = 0;
  for (const LoopCounters* loop : loops) total += loop->closed[static_cast<size_t>(reason)].value();
  return total;
}

uint64_t NodeView::tls_established(TlsVersion spoken, bool is_resumed) const {
  uint64_t sum = 0;
  for (const LoopCounters* loop : loops) {
    sum += loop->tls_established[static_cast<size_t>(spoken)][is_resumed].value();
  }
  return sum;
}

uint64_t NodeView::tls_failed(TlsFailure failure) const {
  uint64_t sum = 0;
  for (const LoopCounters* loop : loops) {
    sum += loop->tls_failed[static_cast<size_t>(failure)].value();
  }
  return sum;
}

uint64_t NodeView::connections(LoopIndex loop) const {
  return loops[loop]->sessions.value() + loops[loop]->handshaking.value();
}

}  // namespace holdfast
