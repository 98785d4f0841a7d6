#pragma once

#include <cstddef>

#include "common/slot_arena.h"
#include "gateway/route/directory.h"
#include "gateway/session/session_record.h"
#include "gateway/session/session_table.h"
#include "gateway/session/tls_connection.h"

// What one idle authenticated session takes of user memory, by the sizes of what it consists of.
// tests/bench/run memory, tests/bench/run tls_memory and tests/vm/run measure the same as slopes of
// the resident set.
namespace holdfast::session_cost {

// Device ids up to 19 characters at an IPv4 address, no attributes; beyond that the identity takes
// one allocation: see PeerIdentity.
inline constexpr size_t kHotRecordBytes = sizeof(HotRecord);
inline constexpr size_t kColdRecordBytes = sizeof(ColdRecord) - sizeof(PeerIdentity);
inline constexpr size_t kIdentityBytes = sizeof(PeerIdentity);
// With the air in the table at its most while the number of devices grows.
inline constexpr size_t kDirectoryBytes = Directory::kBytesPerDevice;
// Bits for free slots, pointers to chunks; rounded up.
inline constexpr size_t kArenaBytes =
    SessionTable::kBytesBesideChunk / SessionTable::kChunkSlots + 1;
// A chunk is whole pages but for the last, which the allocator gives to nobody else.
inline constexpr size_t kChunkBytes =
    SessionTable::kChunkSlots * (sizeof(HotRecord) + sizeof(ColdRecord));
inline constexpr size_t kAllocatorBytes = ((kChunkBytes + SessionTable::kPageBytes - 1) /
                                               SessionTable::kPageBytes * SessionTable::kPageBytes -
                                           kChunkBytes) /
                                              SessionTable::kChunkSlots +
                                          1;

inline constexpr size_t kSum = kHotRecordBytes + kColdRecordBytes + kIdentityBytes +
                               kDirectoryBytes + kArenaBytes + kAllocatorBytes;

// Within TLS it has these besides. OpenSSL's object is gone.
inline constexpr size_t kTlsKeysBytes = 2 * sizeof(TlsDirection);
inline constexpr size_t kTlsRecordsBytes = sizeof(TlsRecords) - kTlsKeysBytes;
inline constexpr size_t kTlsConnectionBytes = sizeof(TlsConnection) - sizeof(TlsRecords);
inline constexpr size_t kTlsPlaceBytes = PartPool<TlsConnection>::kBytesBesidePart;
inline constexpr size_t kTlsSum =
    kTlsKeysBytes + kTlsRecordsBytes + kTlsConnectionBytes + kTlsPlaceBytes;

inline constexpr size_t kBudgetBytes = 160;
inline constexpr size_t kAimBytes = 96;

static_assert(kSum <= kBudgetBytes, "an idle session has outgrown its budget");

}  // namespace holdfast::session_cost
