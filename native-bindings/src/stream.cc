// Reading and writing a connected stream socket at once, outside of Node's event loop. The socket
// stays Node's: whatever cannot be done at once is left to it.
#include <sys/socket.h>
#include <time.h>

#include <cerrno>

#include "addon.h"
#include "args.h"

namespace tapswitch {
namespace {

struct Bytes {
  uint8_t* data = nullptr;
  size_t length = 0;
};

Bytes BytesArg(const Napi::CallbackInfo& info, size_t index) {
  napi_typedarray_type type;
  Bytes bytes;
  void* data = nullptr;
  if (napi_get_typedarray_info(info.Env(), info[index], &type, &bytes.length, &data, nullptr,
                               nullptr) != napi_ok ||
      type != napi_uint8_array) {
    throw Napi::TypeError::New(info.Env(), "the buffer must be an Uint8Array");
  }
  bytes.data = static_cast<uint8_t*>(data);
  return bytes;
}

int64_t MonotonicNs() {
  timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return int64_t{now.tv_sec} * 1000000000 + now.tv_nsec;
}

Napi::Value Result(Napi::Env env, ssize_t count) {
  return Napi::Number::New(env, static_cast<double>(count < 0 ? -errno : count));
}

Napi::Value StreamRecv(const Napi::CallbackInfo& info) {
  int fd = Int32Arg(info, 0, "fd");
  Bytes bytes = BytesArg(info, 1);
  size_t offset = SizeArg(info, 2, "offset");
  if (offset >= bytes.length) throw Napi::RangeError::New(info.Env(), "no room in the buffer");
  int64_t wait_ns = int64_t{Int32Arg(info, 3, "wait")} * 1000;
  // The clock is not looked at where nobody waits.
  int64_t end = wait_ns > 0 ? MonotonicNs() + wait_ns : 0;
  ssize_t got;
  do {
    got = recv(fd, bytes.data + offset, bytes.length - offset, MSG_DONTWAIT);
  } while (got < 0 && (errno == EINTR || (errno == EAGAIN && end > 0 && MonotonicNs() < end)));
  return Result(info.Env(), got);
}

Napi::Value StreamSend(const Napi::CallbackInfo& info) {
  int fd = Int32Arg(info, 0, "fd");
  Bytes bytes = BytesArg(info, 1);
  ssize_t sent;
  do {
    sent = send(fd, bytes.data, bytes.length, MSG_DONTWAIT | MSG_NOSIGNAL);
  } while (sent < 0 && errno == EINTR);
  return Result(info.Env(), sent);
}

}  // namespace

void InitStream(Napi::Env env, Napi::Object exports) {
  exports.Set("streamRecv", Napi::Function::New(env, StreamRecv, "streamRecv"));
  exports.Set("streamSend", Napi::Function::New(env, StreamSend, "streamSend"));
}

}  // namespace tapswitch
