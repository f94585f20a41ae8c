// A NETLINK_ROUTE socket: open, send, receive. Messages are built and read in TypeScript.
#include <linux/netlink.h>
#include <sys/socket.h>

#include "addon.h"
#include "args.h"
#include "system_error.h"

namespace tapswitch {
namespace {

// Events that may wait while the main thread is busy; beyond it, the caller dumps again.
constexpr int kReceiveBufferBytes = 1 << 20;

Napi::Uint8Array BufferArg(const Napi::CallbackInfo& info, size_t index) {
  if (!info[index].IsTypedArray() ||
      info[index].As<Napi::TypedArray>().TypedArrayType() != napi_uint8_array) {
    throw Napi::TypeError::New(info.Env(), "the buffer must be an Uint8Array");
  }
  return info[index].As<Napi::Uint8Array>();
}

Napi::Value NetlinkOpen(const Napi::CallbackInfo& info) {
  Napi::Env env = info.Env();
  struct sockaddr_nl address = {};
  address.nl_family = AF_NETLINK;
  address.nl_groups = static_cast<uint32_t>(Int32Arg(info, 0, "groups"));
  OwnedFd fd(Check(env, socket(AF_NETLINK, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, NETLINK_ROUTE),
                   "socket"));
  int bytes = kReceiveBufferBytes;
  if (setsockopt(fd.Get(), SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof bytes) < 0) {
    setsockopt(fd.Get(), SOL_SOCKET, SO_RCVBUF, &bytes, sizeof bytes);
  }
  Check(env, bind(fd.Get(), reinterpret_cast<struct sockaddr*>(&address), sizeof address), "bind");
  return Napi::Number::New(env, fd.Release());
}

Napi::Value NetlinkSend(const Napi::CallbackInfo& info) {
  Napi::Env env = info.Env();
  int fd = Int32Arg(info, 0, "fd");
  Napi::Uint8Array message = BufferArg(info, 1);
  ssize_t sent;
  do {
    sent = send(fd, message.Data(), message.ByteLength(), 0);
  } while (sent < 0 && errno == EINTR);
  Check(env, sent, "send");
  return env.Undefined();
}

Napi::Value NetlinkRecv(const Napi::CallbackInfo& info) {
  Napi::Env env = info.Env();
  int fd = Int32Arg(info, 0, "fd");
  Napi::Uint8Array buffer = BufferArg(info, 1);
  for (;;) {
    struct sockaddr_nl from = {};
    socklen_t from_length = sizeof from;
    ssize_t got = recvfrom(fd, buffer.Data(), buffer.ByteLength(), MSG_TRUNC,
                           reinterpret_cast<struct sockaddr*>(&from), &from_length);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0 && errno == EAGAIN) return Napi::Number::New(env, 0);
    Check(env, got, "recvfrom");
    if (from.nl_pid != 0) continue;  // only the kernel is believed
    // A cut message would be read wrongly: as good as lost, so the caller dumps again.
    if (static_cast<size_t>(got) > buffer.ByteLength()) {
      throw SystemError(env, ENOBUFS, "recvfrom");
    }
    return Napi::Number::New(env, static_cast<double>(got));
  }
}

}  // namespace

void InitNetlink(Napi::Env env, Napi::Object exports) {
  exports.Set("netlinkOpen", Napi::Function::New(env, NetlinkOpen, "netlinkOpen"));
  exports.Set("netlinkSend", Napi::Function::New(env, NetlinkSend, "netlinkSend"));
  exports.Set("netlinkRecv", Napi::Function::New(env, NetlinkRecv, "netlinkRecv"));
}

}  // namespace tapswitch
