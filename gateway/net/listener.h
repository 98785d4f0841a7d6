#pragma once

#include "common/address.h"
#include "common/status.h"
#include "common/unique_fd.h"

namespace holdfast {

// A bound and listening TCP socket. What a connection needs (NODELAY, USER_TIMEOUT) is
// set here and inherited, so that an accept costs one system call. `address` becomes the bound one
// when its port was 0. An error says what to do about it.
Result<UniqueFd> open_listener(Address& address, int backlog);

}  // namespace holdfast
