// AF_XDP sockets: memory, four rings, and the program that brings a device's frames to them.
//
//     memory of a socket (a memfd: the worker that receives maps it into its arena, too)
//     | frames to receive into ........................ | frames to send from ............. |
//     ^ 0                                               ^ rx_frames * kFrameBytes
//
//     fill ─> kernel ─> rx ─> Receive ─> held ─> Release ─> fill
//     free ─> Send ─> tx ─> kernel ─> completion ─> free
//
// One worker receives from a socket; all may send by it, one at a time. Sockets are found by their
// descriptors by every thread of the process: the registry is the one static variable of the addon,
// behind a lock that is taken when a thread meets a socket for the first time.
//
// A frame that has an unfinished checksum gets it here, since no device does it afterwards.
//
// Source: Documentation/networking/af_xdp.rst, linux/if_xdp.h.
#include "xsk.h"

#include <linux/if_packet.h>
#include <linux/if_xdp.h>
#include <net/if.h>
#include <sys/mman.h>
#include <sys/socket.h>

#include <algorithm>
#include <cstring>
#include <mutex>
#include <unordered_map>
#include <vector>

#include "addon.h"
#include "args.h"
#include "bpf.h"
#include "system_error.h"

#ifndef AF_XDP
#define AF_XDP 44
#endif
#ifndef SOL_XDP
#define SOL_XDP 283
#endif

namespace tapswitch {
namespace {

constexpr uint32_t kFrameBytes = 2048;
constexpr int kVnetHdrLen = 10;
constexpr int kSendBufferBytes = 4 << 20;
constexpr int kKicksMax = 64;
constexpr int kMaxTxBudget = 9;      // XDP_MAX_TX_SKB_BUDGET (Linux 6.17), not in older headers
constexpr int kTxBudget = 128;       // frames that one call sends, where the kernel lets us choose
constexpr uint32_t kXdpAttach = 37;  // BPF_XDP
constexpr uint32_t kSkbMode = 1U << 1;
constexpr uint32_t kDrvMode = 1U << 2;
constexpr uint8_t kNeedsCsum = 1;  // VIRTIO_NET_HDR_F_NEEDS_CSUM

uint32_t Acquire(const uint32_t* index) { return __atomic_load_n(index, __ATOMIC_ACQUIRE); }
void Publish(uint32_t* index, uint32_t value) { __atomic_store_n(index, value, __ATOMIC_RELEASE); }

// The ones' complement sum of `length` bytes, in the order that they lie in memory.
uint64_t Sum(const uint8_t* at, size_t length) {
  uint64_t sum = 0;
  for (; length >= 4; at += 4, length -= 4) {
    uint32_t word;
    memcpy(&word, at, 4);
    sum += word;
  }
  if (length >= 2) {
    uint16_t half;
    memcpy(&half, at, 2);
    sum += half;
    at += 2;
    length -= 2;
  }
  if (length == 1) {
    uint16_t half = 0;
    memcpy(&half, at, 1);
    sum += half;
  }
  return sum;
}

uint16_t Fold(uint64_t sum) {
  while (sum >> 16) sum = (sum & 0xffff) + (sum >> 16);
  return static_cast<uint16_t>(sum);
}

// Completes what the virtio header says is unfinished.
void FinishChecksum(const uint8_t* header, uint8_t* frame, size_t length) {
  if ((header[0] & kNeedsCsum) == 0) return;
  uint16_t start;
  uint16_t offset;
  memcpy(&start, header + 6, 2);
  memcpy(&offset, header + 8, 2);
  if (size_t{start} + offset + 2 > length) return;
  uint16_t sum = static_cast<uint16_t>(~Fold(Sum(frame + start, length - start)));
  if (sum == 0) sum = 0xffff;  // In UDP, 0 says that there is none; in TCP both are the same.
  memcpy(frame + start + offset, &sum, 2);
}

std::mutex registry_lock;
std::unordered_map<int, std::shared_ptr<Xsk>>& Registry() {
  static auto* registry = new std::unordered_map<int, std::shared_ptr<Xsk>>();
  return *registry;
}

}  // namespace

std::shared_ptr<Xsk> FindXsk(int fd) {
  std::lock_guard<std::mutex> guard(registry_lock);
  auto found = Registry().find(fd);
  return found == Registry().end() ? nullptr : found->second;
}

// One of the four rings, as the kernel lays it out.
struct XskRing {
  uint32_t* producer = nullptr;
  uint32_t* consumer = nullptr;
  uint32_t* flags = nullptr;
  void* descriptors = nullptr;
  uint32_t mask = 0;
  void* base = MAP_FAILED;
  size_t bytes = 0;

  uint64_t& Address(uint32_t at) { return static_cast<uint64_t*>(descriptors)[at & mask]; }
  xdp_desc& Descriptor(uint32_t at) { return static_cast<xdp_desc*>(descriptors)[at & mask]; }
  bool NeedsWakeup() const { return (Acquire(flags) & XDP_RING_NEED_WAKEUP) != 0; }

  void Map(Napi::Env env, int fd, uint64_t page, const xdp_ring_offset& at, uint32_t entries,
           size_t entry_bytes) {
    bytes = at.desc + entries * entry_bytes;
    base = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, fd,
                static_cast<off_t>(page));
    if (base == MAP_FAILED) throw SystemError(env, errno, "mmap");
    auto* start = static_cast<uint8_t*>(base);
    producer = reinterpret_cast<uint32_t*>(start + at.producer);
    consumer = reinterpret_cast<uint32_t*>(start + at.consumer);
    flags = reinterpret_cast<uint32_t*>(start + at.flags);
    descriptors = start + at.desc;
    mask = entries - 1;
  }

  ~XskRing() {
    if (base != MAP_FAILED) munmap(base, bytes);
  }
};

class XskSocket : public Xsk {
 public:
  struct Options {
    int ifindex;
    int queue;
    uint32_t rx_frames;  // powers of two
    uint32_t tx_frames;
    bool zero_copy;
    bool need_wakeup;
  };

  XskSocket(Napi::Env env, const Options& options) : options_(options) {
    fd_ = Check(env, socket(AF_XDP, SOCK_RAW | SOCK_CLOEXEC, 0), "socket");
    try {
      MakeMemory(env);
      MakeRings(env);
      Bind(env);
      Promiscuous(env);
    } catch (...) {
      Free();
      throw;
    }
  }
  ~XskSocket() override { Free(); }

  int Fd() const { return fd_; }
  int MemoryFd() const { return memory_fd_; }
  size_t Bytes() const { return bytes_; }

  int Receive(int32_t base, int budget, int32_t* offsets, int32_t* lengths) override {
    uint32_t at = *rx_.consumer;
    uint32_t ready = Acquire(rx_.producer) - at;
    int count = std::min(
        {static_cast<int>(ready), budget, static_cast<int>(options_.rx_frames - held_.size())});
    for (int i = 0; i < count; i++) {
      const xdp_desc& frame = rx_.Descriptor(at + static_cast<uint32_t>(i));
      memset(memory_ + frame.addr - kVnetHdrLen, 0, kVnetHdrLen);
      offsets[i] = base + static_cast<int32_t>(frame.addr);
      lengths[i] = static_cast<int32_t>(frame.len);
      held_.push_back(frame.addr);
    }
    if (count > 0) Publish(rx_.consumer, at + static_cast<uint32_t>(count));
    return count;
  }

  void Release() override {
    uint32_t at = *fill_.producer;
    // There is room for all: the ring is as large as there are frames.
    for (uint64_t address : held_) fill_.Address(at++) = address & ~uint64_t{kFrameBytes - 1};
    held_.clear();
    Publish(fill_.producer, at);
    if (fill_.NeedsWakeup()) recvfrom(fd_, nullptr, 0, MSG_DONTWAIT, nullptr, nullptr);
  }

  int Send(const struct iovec* frames, int count) override {
    std::lock_guard<std::mutex> guard(send_lock_);
    Reap();
    int taken = 0;
    uint32_t at = *tx_.producer;
    int error = ENOBUFS;
    for (; taken < count && !free_.empty(); taken++) {
      const struct iovec& from = frames[taken];
      const auto* header = static_cast<const uint8_t*>(from.iov_base);
      size_t length = from.iov_len - kVnetHdrLen;
      if (length > kFrameBytes || header[1] != 0) {
        error = EMSGSIZE;
        break;
      }
      uint64_t address = free_.back();
      free_.pop_back();
      memcpy(memory_ + address, header + kVnetHdrLen, length);
      FinishChecksum(header, memory_ + address, length);
      xdp_desc& descriptor = tx_.Descriptor(at++);
      descriptor = {address, static_cast<uint32_t>(length), 0};
    }
    Publish(tx_.producer, at);
    int refused = Kick();
    if (taken > 0) return taken;
    return refused == ENETDOWN || refused == ENXIO ? -refused : -error;
  }

  void Statistics(Napi::Object result) {
    struct xdp_statistics stats = {};
    socklen_t length = sizeof stats;
    if (getsockopt(fd_, SOL_XDP, XDP_STATISTICS, &stats, &length) < 0) return;
    result.Set("rxDropped", static_cast<double>(stats.rx_dropped + stats.rx_ring_full));
    result.Set("rxInvalidDescs", static_cast<double>(stats.rx_invalid_descs));
    result.Set("txInvalidDescs", static_cast<double>(stats.tx_invalid_descs));
    result.Set("fillRingEmpty", static_cast<double>(stats.rx_fill_ring_empty_descs));
  }

 private:
  void MakeMemory(Napi::Env env) {
    bytes_ = size_t{options_.rx_frames + options_.tx_frames} * kFrameBytes;
    memory_fd_ = Check(env, memfd_create("tapswitch-xdp", MFD_CLOEXEC), "memfd_create");
    Check(env, ftruncate(memory_fd_, static_cast<off_t>(bytes_)), "ftruncate");
    void* base = mmap(nullptr, bytes_, PROT_READ | PROT_WRITE, MAP_SHARED, memory_fd_, 0);
    if (base == MAP_FAILED) throw SystemError(env, errno, "mmap");
    memory_ = static_cast<uint8_t*>(base);
    struct xdp_umem_reg umem = {};
    umem.addr = reinterpret_cast<uint64_t>(memory_);
    umem.len = bytes_;
    umem.chunk_size = kFrameBytes;
    Set(env, XDP_UMEM_REG, &umem, sizeof umem);
  }

  void MakeRings(Napi::Env env) {
    Set(env, XDP_UMEM_FILL_RING, &options_.rx_frames, sizeof(uint32_t));
    Set(env, XDP_UMEM_COMPLETION_RING, &options_.tx_frames, sizeof(uint32_t));
    Set(env, XDP_RX_RING, &options_.rx_frames, sizeof(uint32_t));
    Set(env, XDP_TX_RING, &options_.tx_frames, sizeof(uint32_t));
    struct xdp_mmap_offsets at = {};
    socklen_t length = sizeof at;
    Check(env, getsockopt(fd_, SOL_XDP, XDP_MMAP_OFFSETS, &at, &length), "getsockopt");
    rx_.Map(env, fd_, XDP_PGOFF_RX_RING, at.rx, options_.rx_frames, sizeof(xdp_desc));
    tx_.Map(env, fd_, XDP_PGOFF_TX_RING, at.tx, options_.tx_frames, sizeof(xdp_desc));
    fill_.Map(env, fd_, XDP_UMEM_PGOFF_FILL_RING, at.fr, options_.rx_frames, sizeof(uint64_t));
    done_.Map(env, fd_, XDP_UMEM_PGOFF_COMPLETION_RING, at.cr, options_.tx_frames,
              sizeof(uint64_t));
    held_.reserve(options_.rx_frames);
    free_.reserve(options_.tx_frames);
    for (uint32_t i = 0; i < options_.rx_frames; i++) {
      fill_.Address(i) = uint64_t{i} * kFrameBytes;
    }
    Publish(fill_.producer, options_.rx_frames);
    for (uint32_t i = 0; i < options_.tx_frames; i++) {
      free_.push_back(uint64_t{options_.rx_frames + i} * kFrameBytes);
    }
  }

  void Bind(Napi::Env env) {
    // Both are bounds that may stay as they are where the kernel does not let us.
    setsockopt(fd_, SOL_SOCKET, SO_SNDBUFFORCE, &kSendBufferBytes, sizeof(int));
    setsockopt(fd_, SOL_XDP, kMaxTxBudget, &kTxBudget, sizeof(int));
    struct sockaddr_xdp address = {};
    address.sxdp_family = AF_XDP;
    address.sxdp_ifindex = static_cast<uint32_t>(options_.ifindex);
    address.sxdp_queue_id = static_cast<uint32_t>(options_.queue);
    address.sxdp_flags = static_cast<uint16_t>((options_.zero_copy ? XDP_ZEROCOPY : XDP_COPY) |
                                               (options_.need_wakeup ? XDP_USE_NEED_WAKEUP : 0));
    Check(env, bind(fd_, reinterpret_cast<struct sockaddr*>(&address), sizeof address), "bind");
  }

  // For as long as this descriptor lives.
  void Promiscuous(Napi::Env env) {
    promiscuous_fd_ = Check(env, socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0), "socket");
    struct packet_mreq request = {};
    request.mr_ifindex = options_.ifindex;
    request.mr_type = PACKET_MR_PROMISC;
    Check(env,
          setsockopt(promiscuous_fd_, SOL_PACKET, PACKET_ADD_MEMBERSHIP, &request, sizeof request),
          "setsockopt");
  }

  void Set(Napi::Env env, int option, const void* value, socklen_t length) {
    Check(env, setsockopt(fd_, SOL_XDP, option, value, length), "setsockopt");
  }

  // Frames that have been sent may be used again.
  void Reap() {
    uint32_t at = *done_.consumer;
    uint32_t end = Acquire(done_.producer);
    for (; at != end; at++) free_.push_back(done_.Address(at));
    Publish(done_.consumer, at);
  }

  // Has the kernel send what is in the ring, some frames a call; an errno, or 0.
  int Kick() {
    for (int i = 0; i < kKicksMax; i++) {
      if (Acquire(tx_.consumer) == *tx_.producer) return 0;
      if (options_.need_wakeup && !tx_.NeedsWakeup()) return 0;
      uint32_t before = Acquire(tx_.consumer);
      if (sendto(fd_, nullptr, 0, MSG_DONTWAIT, nullptr, 0) >= 0) continue;
      if (errno != EAGAIN && errno != EINTR && errno != EBUSY) return errno;
      // No room in the socket's buffer, or for completions: the next call tries again.
      if (Acquire(tx_.consumer) == before) return EAGAIN;
    }
    return 0;
  }

  void Free() {
    if (fd_ >= 0) close(fd_);
    if (memory_ != nullptr) munmap(memory_, bytes_);
    if (memory_fd_ >= 0) close(memory_fd_);
    if (promiscuous_fd_ >= 0) close(promiscuous_fd_);
    fd_ = memory_fd_ = promiscuous_fd_ = -1;
    memory_ = nullptr;
  }

  Options options_;
  int fd_ = -1;
  int memory_fd_ = -1;
  int promiscuous_fd_ = -1;
  uint8_t* memory_ = nullptr;
  size_t bytes_ = 0;
  XskRing rx_;
  XskRing tx_;
  XskRing fill_;
  XskRing done_;
  std::vector<uint64_t> held_;
  std::mutex send_lock_;
  std::vector<uint64_t> free_;
};

namespace {

// A frame of queue i goes to socket i of the map; where there is none, it is dropped: the host's
// own stack is to see nothing of what the switch has taken.
int LoadProgram(int map) {
  constexpr int16_t kQueue = offsetof(struct xdp_md, rx_queue_index);
  struct bpf_insn code[] = {
      Instruction(BPF_LDX | BPF_MEM | BPF_W, 2, 1, kQueue, 0),
      Instruction(BPF_LD | BPF_IMM | BPF_DW, 1, BPF_PSEUDO_MAP_FD, 0, map),
      Instruction(0, 0, 0, 0, 0),
      Instruction(BPF_ALU64 | BPF_MOV | BPF_K, 3, 0, 0, XDP_DROP),
      Instruction(BPF_JMP | BPF_CALL, 0, 0, 0, BPF_FUNC_redirect_map),
      Instruction(BPF_JMP | BPF_EXIT, 0, 0, 0, 0),
  };
  union bpf_attr attr = {};
  attr.prog_type = BPF_PROG_TYPE_XDP;
  attr.insns = reinterpret_cast<uint64_t>(code);
  attr.insn_cnt = sizeof code / sizeof code[0];
  attr.license = reinterpret_cast<uint64_t>("Apache-2.0");
  memcpy(attr.prog_name, "tapswitch_xdp", sizeof "tapswitch_xdp");
  return Bpf(BPF_PROG_LOAD, &attr);
}

Napi::Value XdpAttach(const Napi::CallbackInfo& info) {
  Napi::Env env = info.Env();
  union bpf_attr attr = {};
  attr.map_type = BPF_MAP_TYPE_XSKMAP;
  attr.key_size = attr.value_size = sizeof(uint32_t);
  attr.max_entries = static_cast<uint32_t>(Int32Arg(info, 1, "queues"));
  OwnedFd map(Check(env, Bpf(BPF_MAP_CREATE, &attr), "BPF_MAP_CREATE"));
  OwnedFd program(Check(env, LoadProgram(map.Get()), "BPF_PROG_LOAD"));
  LinkCreate link = {};
  link.prog_fd = static_cast<uint32_t>(program.Get());
  link.target_ifindex = static_cast<uint32_t>(Int32Arg(info, 0, "ifindex"));
  link.attach_type = kXdpAttach;
  link.flags = info[2].ToBoolean() ? kSkbMode : kDrvMode;
  int fd = Check(env, Bpf(BPF_LINK_CREATE, &link), "BPF_LINK_CREATE");
  Napi::Object result = Napi::Object::New(env);
  result.Set("link", fd);
  result.Set("map", map.Release());
  return result;
}

Napi::Value XskOpen(const Napi::CallbackInfo& info) {
  Napi::Env env = info.Env();
  Napi::Object object = ObjectArg(info, 0, "options");
  XskSocket::Options options = {};
  options.ifindex = IntProperty(object, "ifindex", 1, INT32_MAX);
  options.queue = IntProperty(object, "queue", 0, 4095);
  options.rx_frames = static_cast<uint32_t>(IntProperty(object, "rxFrames", 2, 1 << 16));
  options.tx_frames = static_cast<uint32_t>(IntProperty(object, "txFrames", 2, 1 << 16));
  auto power = [](uint32_t n) { return (n & (n - 1)) == 0; };
  if (!power(options.rx_frames) || !power(options.tx_frames)) {
    throw Napi::RangeError::New(env, "rings have powers of two of frames");
  }
  options.zero_copy = object.Get("zeroCopy").ToBoolean();
  options.need_wakeup = object.Get("needWakeup").ToBoolean();
  auto socket = std::make_shared<XskSocket>(env, options);

  union bpf_attr attr = {};
  uint32_t key = static_cast<uint32_t>(options.queue);
  uint32_t value = static_cast<uint32_t>(socket->Fd());
  attr.map_fd = static_cast<uint32_t>(IntProperty(object, "map", 0, INT32_MAX));
  attr.key = reinterpret_cast<uint64_t>(&key);
  attr.value = reinterpret_cast<uint64_t>(&value);
  Check(env, Bpf(BPF_MAP_UPDATE_ELEM, &attr), "BPF_MAP_UPDATE_ELEM");

  Napi::Object result = Napi::Object::New(env);
  result.Set("fd", socket->Fd());
  result.Set("memoryFd", socket->MemoryFd());
  result.Set("bytes", static_cast<double>(socket->Bytes()));
  std::lock_guard<std::mutex> guard(registry_lock);
  Registry()[socket->Fd()] = socket;
  return result;
}

void XskClose(const Napi::CallbackInfo& info) {
  std::shared_ptr<Xsk> socket = FindXsk(Int32Arg(info, 0, "fd"));
  if (!socket) throw SystemError(info.Env(), EBADF, "close");
  std::lock_guard<std::mutex> guard(registry_lock);
  Registry().erase(Int32Arg(info, 0, "fd"));
}

Napi::Value XskStatistics(const Napi::CallbackInfo& info) {
  auto socket = std::static_pointer_cast<XskSocket>(FindXsk(Int32Arg(info, 0, "fd")));
  if (!socket) throw SystemError(info.Env(), EBADF, "getsockopt");
  Napi::Object result = Napi::Object::New(info.Env());
  socket->Statistics(result);
  return result;
}

}  // namespace

void InitXsk(Napi::Env env, Napi::Object exports) {
  exports.Set("xdpAttach", Napi::Function::New(env, XdpAttach, "xdpAttach"));
  exports.Set("xskOpen", Napi::Function::New(env, XskOpen, "xskOpen"));
  exports.Set("xskClose", Napi::Function::New(env, XskClose, "xskClose"));
  exports.Set("xskStatistics", Napi::Function::New(env, XskStatistics, "xskStatistics"));
}

}  // namespace tapswitch
