#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>

#include "common/lru_list.h"
#include "gateway/net/tls_handshake.h"
#include "gateway/net/tls_records.h"

namespace holdfast {

// What a connection within TLS owns until it has said HELLO.
struct TlsEntry {
  std::unique_ptr<TlsHandshake> handshake;  // null: a step is being done, or it is over
  TlsFacts facts;                           // once it is over
  uint32_t events = 0;                      // of the socket, since a step was asked for
  bool is_asked = false;  // a step is asked for or being done: nothing is read meanwhile
  bool is_begun = false;  // it counts among the handshakes that are going on
};

// What a connection within TLS owns for its life: 224 bytes of what allocators give.
struct TlsConnection {
  TlsRecords records;  // once the handshake is over
  std::unique_ptr<TlsEntry> entry;
  uint32_t io = kNoIndex;  // of its ConnectionIo

  size_t allocated_bytes() const {
    if (entry == nullptr) return sizeof(TlsConnection);
    return sizeof(TlsConnection) + sizeof(TlsEntry) +
           (entry->is_begun ? TlsHandshake::kBytes : TlsHandshake::kBytesBeforeFirstStep);
  }
};

static_assert(sizeof(TlsConnection) == 224);

}  // namespace holdfast
