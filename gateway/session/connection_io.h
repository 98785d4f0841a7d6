#pragma once

#include <cstddef>

#include "common/byte_buffer.h"
#include "common/clock.h"

namespace holdfast {

// What a connection owns only while it must: input while a frame is incomplete, output while the
// socket is full.
struct ConnectionIo {
  ByteBuffer sealed;  // input as it came, while a TLS record is incomplete
  ByteBuffer input;
  ByteBuffer output;
  WrappingMs output_moved;  // when the peer last took any of it

  bool is_empty() const { return sealed.is_empty() && input.is_empty() && output.is_empty(); }
  size_t allocated_bytes() const {
    return sizeof(ConnectionIo) + sealed.capacity() + input.capacity() + output.capacity();
  }
};

}  // namespace holdfast
