#pragma once

#include <cstdint>

namespace holdfast {

// What an operator may do to the node as a whole.
// Thread: control.
class NodeControl {
 public:
  virtual ~NodeControl() = default;
  virtual void start_drain(double rate_per_s, uint32_t reconnect_window_ms) = 0;
  virtual void stop_drain() = 0;
  virtual bool is_draining() const = 0;
};

}  // namespace holdfast
