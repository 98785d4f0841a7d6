#pragma once

#include <cstdint>

namespace holdfast {

// What a listener asks of a client's certificate.
enum class TlsClientAuth : uint8_t {
  kOff,       // none is asked for
  kOptional,  // one that is shown must be right
  kRequired,
};

// Where in a client's certificate its device ids stand.
enum class DeviceIdSource : uint8_t {
  kNone,        // nowhere: HELLO may say any id
  kCommonName,  // the subject's common names
  kAltName,     // the alternative names that are DNS names or URIs
  kAny,         // both
};

}  // namespace holdfast
