#pragma once

#include <cstdint>

// System calls of the floor programs; each ends the program when the system refuses.
// Thread: any.
namespace holdfast::bench {

[[noreturn]] void fail(const char* what);

// A listener on 127.0.0.1 and a port that the system chooses; prints "ADDRESS:PORT" on a line.
[[nodiscard]] int open_listener();

// An epoll set, and what is added to it under its own descriptor as data.
[[nodiscard]] int open_epoll();
void add_to_epoll(int epoll, int fd, uint32_t events);

}  // namespace holdfast::bench
