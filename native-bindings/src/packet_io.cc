// PacketIo: the system calls of one worker's packet path.
//
// All memory is handed over in the constructor; every call after that takes and returns small
// integers, allocates nothing and throws nothing. Offsets and lengths come from JavaScript and are
// checked against the arena before the kernel sees an address: -EFAULT, never a stray write.
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <time.h>

#include <algorithm>
#include <atomic>
#include <cstring>
#include <vector>

#include "addon.h"
#include "system_error.h"
#include "xsk.h"

namespace tapswitch {
namespace {

constexpr int kVnetHdrLen = 10;      // struct virtio_net_hdr
constexpr int kBatchMax = 128;       // frames in a sendmmsg call
constexpr int kEventsMax = 256;      // descriptors reported by one wait
constexpr int kTapFrameMax = 66000;  // room that a read from a TAP needs: header, VLAN, 64 KiB
constexpr int kTapAlign = 64;        // cache line

// The typed array `name` of `options`, kept alive by `reference`.
int32_t* TakeInt32Array(Napi::Object options, const char* name, size_t* length,
                        Napi::ObjectReference* reference) {
  Napi::Value value = options.Get(name);
  if (!value.IsTypedArray() || value.As<Napi::TypedArray>().TypedArrayType() != napi_int32_array) {
    throw Napi::TypeError::New(options.Env(), std::string(name) + " must be an Int32Array");
  }
  Napi::Int32Array array = value.As<Napi::Int32Array>();
  *reference = Napi::Persistent(value.As<Napi::Object>());
  *length = array.ElementLength();
  return array.Data();
}

// An epoll registration: descriptor and the caller's tag.
uint64_t Pack(int fd, int32_t tag) {
  return (static_cast<uint64_t>(static_cast<uint32_t>(fd)) << 32) | static_cast<uint32_t>(tag);
}

}  // namespace

class PacketIo : public Napi::ObjectWrap<PacketIo> {
 public:
  static void Init(Napi::Env env, Napi::Object exports) {
    exports.Set("PacketIo", DefineClass(env, "PacketIo",
                                        {
                                            InstanceMethod("send", &PacketIo::Send),
                                            InstanceMethod("tapWrite", &PacketIo::TapWrite),
                                            InstanceMethod("tapRead", &PacketIo::TapRead),
                                            InstanceMethod("recvCopy", &PacketIo::RecvCopy),
                                            InstanceMethod("xskReceive", &PacketIo::XskReceive),
                                            InstanceMethod("xskRelease", &PacketIo::XskRelease),
                                            InstanceMethod("xskSend", &PacketIo::XskSend),
                                            InstanceMethod("wait", &PacketIo::Wait),
                                            InstanceMethod("watch", &PacketIo::Watch),
                                            InstanceMethod("unwatch", &PacketIo::Unwatch),
                                            InstanceMethod("fence", &PacketIo::Fence),
                                            InstanceMethod("clockMs", &PacketIo::ClockMs),
                                            InstanceMethod("close", &PacketIo::Close),
                                        }));
  }

  explicit PacketIo(const Napi::CallbackInfo& info) : Napi::ObjectWrap<PacketIo>(info) {
    Napi::Env env = info.Env();
    if (!info[0].IsObject()) throw Napi::TypeError::New(env, "options must be an object");
    Napi::Object options = info[0].As<Napi::Object>();
    Napi::Value arena = options.Get("arena");
    if (!arena.IsArrayBuffer()) throw Napi::TypeError::New(env, "arena must be an ArrayBuffer");
    arena_ = static_cast<uint8_t*>(arena.As<Napi::ArrayBuffer>().Data());
    arena_bytes_ = static_cast<int64_t>(arena.As<Napi::ArrayBuffer>().ByteLength());
    arena_ref_ = Napi::Persistent(arena.As<Napi::Object>());
    size_t lengths_count;
    offsets_ = TakeInt32Array(options, "offsets", &vector_length_, &offsets_ref_);
    lengths_ = TakeInt32Array(options, "lengths", &lengths_count, &lengths_ref_);
    ready_ = TakeInt32Array(options, "ready", &ready_length_, &ready_ref_);
    vector_length_ = std::min(vector_length_, lengths_count);
    epoll_ = Check(env, epoll_create1(EPOLL_CLOEXEC), "epoll_create1");
    memset(messages_, 0, sizeof messages_);
    for (int i = 0; i < kBatchMax; i++) {
      messages_[i].msg_hdr.msg_iov = &iovecs_[i];
      messages_[i].msg_hdr.msg_iovlen = 1;
    }
  }

  ~PacketIo() override {
    if (epoll_ >= 0) ::close(epoll_);
  }

 private:
  static int32_t Int(const Napi::CallbackInfo& info, size_t index) {
    int32_t value = 0;
    napi_get_value_int32(info.Env(), info[index], &value);
    return value;
  }
  static Napi::Value Result(const Napi::CallbackInfo& info, int value) {
    napi_value result;
    napi_create_int32(info.Env(), value, &result);
    return Napi::Value(info.Env(), result);
  }

  bool VectorsHold(int start, int count) const {
    return start >= 0 && count >= 0 &&
           static_cast<uint64_t>(start) + static_cast<uint64_t>(count) <= vector_length_;
  }

  // Points `iovec` at frame `i`, virtio header first; false when it is not inside the arena.
  bool FrameAt(int i, struct iovec* iovec) const {
    int64_t offset = offsets_[i];
    int64_t length = lengths_[i];
    if (offset < kVnetHdrLen || length < 0 || offset + length > arena_bytes_) return false;
    iovec->iov_base = arena_ + offset - kVnetHdrLen;
    iovec->iov_len = static_cast<size_t>(length + kVnetHdrLen);
    return true;
  }

  Napi::Value Send(const Napi::CallbackInfo& info) {
    return Result(info, SendFrames(Int(info, 0), Int(info, 1), Int(info, 2)));
  }

  int SendFrames(int fd, int start, int count) {
    if (!VectorsHold(start, count)) return -EINVAL;
    int taken = 0;
    while (taken < count) {
      int batch = 0;
      int wanted = std::min(count - taken, kBatchMax);
      while (batch < wanted && FrameAt(start + taken + batch, &iovecs_[batch])) batch++;
      if (batch == 0) return taken > 0 ? taken : -EFAULT;
      int sent;
      do {
        sent = sendmmsg(fd, messages_, static_cast<unsigned>(batch), MSG_DONTWAIT);
      } while (sent < 0 && errno == EINTR);
      if (sent < 0) return taken > 0 ? taken : -errno;
      taken += sent;
      if (sent < wanted) break;
    }
    return taken;
  }

  Napi::Value TapWrite(const Napi::CallbackInfo& info) {
    return Result(info, TapWriteFrames(Int(info, 0), Int(info, 1), Int(info, 2)));
  }

  int TapWriteFrames(int fd, int start, int count) {
    if (!VectorsHold(start, count)) return -EINVAL;
    for (int i = 0; i < count; i++) {
      struct iovec frame;
      if (!FrameAt(start + i, &frame)) return i > 0 ? i : -EFAULT;
      ssize_t written;
      do {
        written = write(fd, frame.iov_base, frame.iov_len);
      } while (written < 0 && errno == EINTR);
      if (written < 0) return i > 0 ? i : -errno;
    }
    return count;
  }

  Napi::Value TapRead(const Napi::CallbackInfo& info) {
    return Result(info, TapReadFrames(Int(info, 0), Int(info, 1), Int(info, 2), Int(info, 3),
                                      Int(info, 4), Int(info, 5)));
  }

  //   at (multiple of 64)                         next (multiple of 64)
  //   | headroom | virtio header | frame ... | pad |
  int TapReadFrames(int fd, int64_t at, int64_t limit, int headroom, int max_frames, int start) {
    if (at < 0 || headroom < 0 || max_frames < 0 || !VectorsHold(start, max_frames)) {
      return -EINVAL;
    }
    limit = std::min(limit, arena_bytes_);
    int count = 0;
    while (count < max_frames) {
      at = (at + kTapAlign - 1) / kTapAlign * kTapAlign;
      int64_t header = at + headroom;
      if (limit - header < kTapFrameMax) break;
      ssize_t got;
      do {
        got = read(fd, arena_ + header, static_cast<size_t>(limit - header));
      } while (got < 0 && errno == EINTR);
      if (got < 0) return count > 0 ? count : -errno;
      if (got < kVnetHdrLen) break;
      offsets_[start + count] = static_cast<int32_t>(header + kVnetHdrLen);
      lengths_[start + count] = static_cast<int32_t>(got - kVnetHdrLen);
      count++;
      at = header + got;
    }
    return count;
  }

  Napi::Value RecvCopy(const Napi::CallbackInfo& info) {
    return Result(info, RecvCopyFrame(Int(info, 0), Int(info, 1), Int(info, 2)));
  }

  int RecvCopyFrame(int fd, int64_t offset, int64_t capacity) {
    if (offset < kVnetHdrLen || capacity < 0 || offset + capacity > arena_bytes_) return -EFAULT;
    ssize_t got;
    do {
      // MSG_TRUNC: the length of the whole frame, also when it did not fit.
      got = recv(fd, arena_ + offset - kVnetHdrLen, static_cast<size_t>(capacity + kVnetHdrLen),
                 MSG_DONTWAIT | MSG_TRUNC);
    } while (got < 0 && errno == EINTR);
    if (got < 0) return -errno;
    if (got > capacity + kVnetHdrLen) return -EMSGSIZE;
    return got < kVnetHdrLen ? -EBADMSG : static_cast<int>(got - kVnetHdrLen);
  }

  // The AF_XDP socket of a descriptor, or nothing when it is closed. It is looked for among all
  // of the process once, and found here from then on.
  std::shared_ptr<Xsk> XskAt(int fd) {
    if (fd < 0) return nullptr;
    size_t at = static_cast<size_t>(fd);
    if (at >= xsks_.size()) xsks_.resize(at + 1);
    std::shared_ptr<Xsk> socket = xsks_[at].lock();
    if (!socket) {
      socket = FindXsk(fd);
      xsks_[at] = socket;
    }
    return socket;
  }

  Napi::Value XskReceive(const Napi::CallbackInfo& info) {
    int start = Int(info, 3);
    int budget = Int(info, 2);
    if (!VectorsHold(start, budget)) return Result(info, -EINVAL);
    std::shared_ptr<Xsk> socket = XskAt(Int(info, 0));
    if (!socket) return Result(info, -EBADF);
    return Result(info, socket->Receive(Int(info, 1), budget, offsets_ + start, lengths_ + start));
  }

  Napi::Value XskRelease(const Napi::CallbackInfo& info) {
    std::shared_ptr<Xsk> socket = XskAt(Int(info, 0));
    if (socket) socket->Release();
    return Result(info, socket ? 0 : -EBADF);
  }

  Napi::Value XskSend(const Napi::CallbackInfo& info) {
    return Result(info, XskSendFrames(Int(info, 0), Int(info, 1), Int(info, 2)));
  }

  int XskSendFrames(int fd, int start, int count) {
    if (!VectorsHold(start, count)) return -EINVAL;
    std::shared_ptr<Xsk> socket = XskAt(fd);
    if (!socket) return -EBADF;
    int batch = 0;
    int wanted = std::min(count, kBatchMax);
    while (batch < wanted && FrameAt(start + batch, &iovecs_[batch])) batch++;
    return batch == 0 ? -EFAULT : socket->Send(iovecs_, batch);
  }

  Napi::Value Wait(const Napi::CallbackInfo& info) { return Result(info, WaitFor(Int(info, 0))); }

  int WaitFor(int timeout_us) {
    int capacity = static_cast<int>(std::min<size_t>(kEventsMax, ready_length_));
    int count = EpollWait(capacity, timeout_us);
    if (count < 0) return errno == EINTR ? 0 : -errno;
    for (int i = 0; i < count; i++) {
      ready_[i] = static_cast<int32_t>(static_cast<uint32_t>(events_[i].data.u64));
      if (events_[i].events & (EPOLLERR | EPOLLHUP)) ClearError(events_[i].data.u64 >> 32);
    }
    return count;
  }

  int EpollWait(int capacity, int timeout_us) {
    // A zero timeout is by far the most frequent call (busy polling): the cheaper system call.
    if (timeout_us == 0) return epoll_wait(epoll_, events_, capacity, 0);
#ifdef SYS_epoll_pwait2
    if (timeout_us > 0) {
      struct timespec timeout = {timeout_us / 1000000, timeout_us % 1000000 * 1000L};
      long count = syscall(SYS_epoll_pwait2, epoll_, events_, capacity, &timeout, nullptr, 0);
      if (count >= 0 || errno != ENOSYS) return static_cast<int>(count);
    }
#endif
    // Before Linux 5.11: whole milliseconds, rounded up.
    return epoll_wait(epoll_, events_, capacity, timeout_us < 0 ? -1 : (timeout_us + 999) / 1000);
  }

  // A socket's error (ENETDOWN when its interface goes down) stays readable until it is taken,
  // and would keep this worker awake. A TAP queue whose device is gone never recovers: it is
  // taken off the list.
  void ClearError(uint64_t fd) {
    int error;
    socklen_t length = sizeof error;
    if (getsockopt(static_cast<int>(fd), SOL_SOCKET, SO_ERROR, &error, &length) < 0) {
      epoll_ctl(epoll_, EPOLL_CTL_DEL, static_cast<int>(fd), nullptr);
    }
  }

  Napi::Value Watch(const Napi::CallbackInfo& info) {
    int fd = Int(info, 0);
    struct epoll_event event = {};
    event.events = EPOLLIN;
    event.data.u64 = Pack(fd, Int(info, 1));
    int result = epoll_ctl(epoll_, EPOLL_CTL_ADD, fd, &event);
    if (result < 0 && errno == EEXIST) result = epoll_ctl(epoll_, EPOLL_CTL_MOD, fd, &event);
    Check(info.Env(), result, "epoll_ctl");
    return info.Env().Undefined();
  }

  Napi::Value Unwatch(const Napi::CallbackInfo& info) {
    int result = epoll_ctl(epoll_, EPOLL_CTL_DEL, Int(info, 0), nullptr);
    // Already gone: closed before, or taken off the list after an error.
    if (result < 0 && errno != ENOENT && errno != EBADF) {
      throw SystemError(info.Env(), errno, "epoll_ctl");
    }
    return info.Env().Undefined();
  }

  Napi::Value Fence(const Napi::CallbackInfo& info) {
    std::atomic_thread_fence(std::memory_order_seq_cst);
    return info.Env().Undefined();
  }

  // A small integer: performance.now() would allocate a number for each wake-up of a worker.
  Napi::Value ClockMs(const Napi::CallbackInfo& info) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    int64_t ms = static_cast<int64_t>(now.tv_sec) * 1000 + now.tv_nsec / 1000000;
    return Result(info, static_cast<int>(ms & 0x7fffffff));
  }

  Napi::Value Close(const Napi::CallbackInfo& info) {
    if (epoll_ >= 0) ::close(epoll_);
    epoll_ = -1;
    // No frame is inside an arena of no bytes, no index inside empty vectors.
    arena_bytes_ = 0;
    vector_length_ = 0;
    arena_ref_.Reset();
    offsets_ref_.Reset();
    lengths_ref_.Reset();
    return info.Env().Undefined();
  }

  uint8_t* arena_ = nullptr;
  int64_t arena_bytes_ = 0;
  int32_t* offsets_ = nullptr;
  int32_t* lengths_ = nullptr;
  int32_t* ready_ = nullptr;
  size_t vector_length_ = 0;
  size_t ready_length_ = 0;
  int epoll_ = -1;
  std::vector<std::weak_ptr<Xsk>> xsks_;  // by descriptor
  Napi::ObjectReference arena_ref_;
  Napi::ObjectReference offsets_ref_;
  Napi::ObjectReference lengths_ref_;
  Napi::ObjectReference ready_ref_;
  struct mmsghdr messages_[kBatchMax];
  struct iovec iovecs_[kBatchMax];
  struct epoll_event events_[kEventsMax];
};

void InitPacketIo(Napi::Env env, Napi::Object exports) { PacketIo::Init(env, exports); }

}  // namespace tapswitch
