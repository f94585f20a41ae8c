// Packet sockets with a receive ring, deaf until they are bound: the part of opening one that no
// interface is needed for, and that takes the kernel 10 ms and more.
//
// Not for: what depends on the interface (packet_socket.cc).
#pragma once

#include <cstdint>

namespace tapswitch {

struct RingShape {
  uint32_t slots;
  uint32_t slot_bytes;
  int reserve;

  bool operator==(const RingShape& other) const {
    return slots == other.slots && slot_bytes == other.slot_bytes && reserve == other.reserve;
  }
};

// Whether the ring's slots fill whole pages, and are not too many.
bool IsRingShape(const RingShape& shape);

// A socket with such a ring: one of those made ahead, or a new one. Returns the descriptor, or -1
// with errno set and *syscall naming what failed.
int OpenRing(const RingShape& shape, const char** syscall);

// `count` sockets of this shape will be wanted soon: makes them in threads, some at a time. Those
// that were expected before and not taken are closed. Waits for nothing.
void ExpectRings(const RingShape& shape, uint32_t count);

}  // namespace tapswitch
