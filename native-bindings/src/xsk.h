// An AF_XDP socket as the packet path sees it (xsk.cc).
#pragma once

#include <sys/uio.h>

#include <cstdint>
#include <memory>

namespace tapswitch {

class Xsk {
 public:
  virtual ~Xsk() = default;
  // Takes up to `budget` frames: their offsets, `base` being that of the socket's memory, and their
  // lengths. They stay the caller's until Release. How many.
  virtual int Receive(int32_t base, int budget, int32_t* offsets, int32_t* lengths) = 0;
  // Gives the kernel back what was received.
  virtual void Release() = 0;
  // Copies frames, virtio header first, and sends them: how many, or -errno.
  virtual int Send(const struct iovec* frames, int count) = 0;
};

// The socket of that descriptor, or nothing.
std::shared_ptr<Xsk> FindXsk(int fd);

}  // namespace tapswitch
