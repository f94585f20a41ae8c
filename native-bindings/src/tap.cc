// TAP devices (linux/if_tun.h): always multi-queue, with virtio headers and offloads.
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <cstring>
#include <vector>

#include "addon.h"
#include "args.h"
#include "system_error.h"

#ifndef TUN_F_USO4
#define TUN_F_USO4 0x20
#define TUN_F_USO6 0x40
#endif

namespace tapswitch {
namespace {

constexpr int kQueuesMax = 256;  // MAX_TAP_QUEUES of the kernel

void SetOffloads(Napi::Env env, int fd) {
  unsigned segmentation = TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6 | TUN_F_TSO_ECN;
  // UDP segmentation came with Linux 6.2; older kernels refuse unknown bits.
  if (ioctl(fd, TUNSETOFFLOAD, segmentation | TUN_F_USO4 | TUN_F_USO6) == 0) return;
  Check(env, ioctl(fd, TUNSETOFFLOAD, segmentation), "TUNSETOFFLOAD");
}

// Opens one queue of the device `request` names; the kernel writes the final name back.
OwnedFd OpenQueue(Napi::Env env, struct ifreq* request) {
  OwnedFd fd(Check(env, open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC), "open"));
  request->ifr_flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR | IFF_MULTI_QUEUE;
  Check(env, ioctl(fd.Get(), TUNSETIFF, request), "TUNSETIFF");
  int header_bytes = 10;
  Check(env, ioctl(fd.Get(), TUNSETVNETHDRSZ, &header_bytes), "TUNSETVNETHDRSZ");
  SetOffloads(env, fd.Get());
  // No bound on what is on its way into the host's stack (TUNSETSNDBUF): the host has its own, and
  // without one the kernel builds a small frame in place, which takes a tenth off a write.
  return fd;
}

Napi::Value TapOpen(const Napi::CallbackInfo& info) {
  Napi::Env env = info.Env();
  Napi::Object options = ObjectArg(info, 0, "options");
  std::string name = StringProperty(options, "name");
  int queues = IntProperty(options, "queues", 1, kQueuesMax);
  if (name.size() >= IFNAMSIZ) throw SystemError(env, ENAMETOOLONG, "TUNSETIFF");

  struct ifreq request = {};
  memcpy(request.ifr_name, name.c_str(), name.size() + 1);
  std::vector<OwnedFd> fds;
  for (int i = 0; i < queues; i++) fds.push_back(OpenQueue(env, &request));
  int ifindex = static_cast<int>(if_nametoindex(request.ifr_name));
  if (ifindex == 0) throw SystemError(env, errno, "if_nametoindex");

  Napi::Object result = Napi::Object::New(env);
  Napi::Array numbers = Napi::Array::New(env, fds.size());
  for (size_t i = 0; i < fds.size(); i++) {
    numbers.Set(static_cast<uint32_t>(i), fds[i].Release());
  }
  result.Set("fds", numbers);
  result.Set("name", std::string(request.ifr_name));
  result.Set("ifindex", ifindex);
  return result;
}

}  // namespace

void InitTap(Napi::Env env, Napi::Object exports) {
  exports.Set("tapOpen", Napi::Function::New(env, TapOpen, "tapOpen"));
}

}  // namespace tapswitch
