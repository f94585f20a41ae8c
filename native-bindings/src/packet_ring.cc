// Sockets with rings, made ahead of their use.
//
// The kernel waits until all CPUs have passed through it before a ring is in place
// (packet_set_ring, synchronize_net). Threads that wait at the same time wait together:
//
//     ExpectRings(5) ─> 5 threads, each: socket, options, ring ─> futures
//     OpenRing()     ─> the first future's socket; a thread for the next one still expected
//
// Workers load the addon, too: what is expected is the process's, behind a lock.
#include "packet_ring.h"

#include <linux/if_packet.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <deque>
#include <future>
#include <memory>
#include <mutex>
#include <numeric>
#include <system_error>
#include <thread>
#include <utility>

#ifndef PACKET_IGNORE_OUTGOING
#define PACKET_IGNORE_OUTGOING 23
#endif

namespace tapswitch {
namespace {

// Threads at a time: each holds a ring's memory until somebody takes it.
constexpr size_t kAheadMax = 8;

std::mutex lock;
RingShape expected_shape = {};
uint32_t not_begun = 0;
std::deque<std::future<int>> begun;

uint64_t BlockBytes(const RingShape& shape) {
  return std::lcm(static_cast<uint64_t>(sysconf(_SC_PAGESIZE)), uint64_t{shape.slot_bytes});
}

bool SetInt(int fd, int option, int value) {
  return setsockopt(fd, SOL_PACKET, option, &value, sizeof value) == 0;
}

// Blocks hold whole slots and whole pages, so that slots are contiguous in the mapping. Larger
// blocks mean fewer, but harder, allocations for the kernel.
bool SetRing(int fd, const RingShape& shape) {
  constexpr uint64_t kBlockBytesWanted = 32768;
  uint64_t total = uint64_t{shape.slots} * shape.slot_bytes;
  uint64_t block = BlockBytes(shape);
  while (block * 2 <= kBlockBytesWanted && total % (block * 2) == 0) block *= 2;
  struct tpacket_req request = {};
  request.tp_block_size = static_cast<uint32_t>(block);
  request.tp_block_nr = static_cast<uint32_t>(total / block);
  request.tp_frame_size = shape.slot_bytes;
  request.tp_frame_nr = shape.slots;
  return setsockopt(fd, SOL_PACKET, PACKET_RX_RING, &request, sizeof request) == 0;
}

int MakeRing(const RingShape& shape, const char** syscall) {
  *syscall = "socket";
  // Protocol 0: deaf until bound.
  int fd = socket(AF_PACKET, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) return -1;
  *syscall = "setsockopt";
  if (SetInt(fd, PACKET_VERSION, TPACKET_V2) && SetInt(fd, PACKET_VNET_HDR, 1) &&
      SetInt(fd, PACKET_RESERVE, shape.reserve) && SetInt(fd, PACKET_COPY_THRESH, 1) &&
      SetInt(fd, PACKET_IGNORE_OUTGOING, 1) && SetRing(fd, shape)) {
    return fd;
  }
  int error = errno;
  close(fd);
  errno = error;
  return -1;
}

// With the lock held.
void BeginMore() {
  while (not_begun > 0 && begun.size() < kAheadMax) {
    not_begun -= 1;
    RingShape shape = expected_shape;
    try {
      begun.push_back(std::async(std::launch::async, [shape] {
        const char* syscall;
        return MakeRing(shape, &syscall);
      }));
    } catch (const std::system_error&) {
      not_begun = 0;  // No threads to be had: whoever opens a socket makes it.
    }
  }
}

}  // namespace

bool IsRingShape(const RingShape& shape) {
  uint64_t total = uint64_t{shape.slots} * shape.slot_bytes;
  return shape.slot_bytes % TPACKET_ALIGNMENT == 0 && total % BlockBytes(shape) == 0 &&
         total <= (uint64_t{1} << 30);
}

int OpenRing(const RingShape& shape, const char** syscall) {
  std::future<int> ready;
  {
    std::lock_guard<std::mutex> guard(lock);
    if (!begun.empty() && shape == expected_shape) {
      ready = std::move(begun.front());
      begun.pop_front();
      BeginMore();
    }
  }
  int fd = ready.valid() ? ready.get() : -1;
  return fd >= 0 ? fd : MakeRing(shape, syscall);
}

void ExpectRings(const RingShape& shape, uint32_t count) {
  std::deque<std::future<int>> left;
  {
    std::lock_guard<std::mutex> guard(lock);
    left.swap(begun);
    expected_shape = shape;
    not_begun = count;
    BeginMore();
  }
  if (left.empty()) return;
  auto kept = std::make_shared<std::deque<std::future<int>>>(std::move(left));
  auto close_all = [kept] {
    for (std::future<int>& each : *kept) {
      int fd = each.get();
      if (fd >= 0) close(fd);
    }
  };
  // Some may not be there yet: nobody is to wait for them.
  try {
    std::thread(close_all).detach();
  } catch (const std::system_error&) {
    close_all();
  }
}

}  // namespace tapswitch
