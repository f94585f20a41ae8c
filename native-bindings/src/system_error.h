// Errors of system calls as Node.js shapes them, and a descriptor that closes itself.
//
// Not for: the packet path, whose calls return -errno (packet_io.cc).
#pragma once

#include <napi.h>
#include <unistd.h>

namespace tapswitch {

// An Error `EPERM: operation not permitted, socket` with code, errno (negative) and syscall.
Napi::Error SystemError(Napi::Env env, int error, const char* syscall);

// Throws SystemError(errno) when `result` is negative; returns it otherwise.
template <typename T>
T Check(Napi::Env env, T result, const char* syscall) {
  if (result < 0) throw SystemError(env, errno, syscall);
  return result;
}

// A file descriptor closed at the end of its scope, unless released.
class OwnedFd {
 public:
  explicit OwnedFd(int fd) : fd_(fd) {}
  OwnedFd(OwnedFd&& other) noexcept : fd_(other.Release()) {}
  OwnedFd(const OwnedFd&) = delete;
  OwnedFd& operator=(const OwnedFd&) = delete;
  ~OwnedFd() {
    if (fd_ >= 0) ::close(fd_);
  }
  int Get() const { return fd_; }
  int Release() {
    int fd = fd_;
    fd_ = -1;
    return fd;
  }

 private:
  int fd_;
};

}  // namespace tapswitch
