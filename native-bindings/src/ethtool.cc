// What a device's driver tells about it (ethtool): driver, speed, duplex, segmentation offload; and
// whether it has a link (MII registers).
//
// The ioctls work in whatever network namespace the calling thread is in; /sys shows that of
// whoever mounted it.
#include <linux/ethtool.h>
#include <linux/mii.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <cstring>

#include "addon.h"
#include "args.h"
#include "system_error.h"

namespace tapswitch {
namespace {

// 0, or a positive errno.
int Ethtool(int fd, const std::string& ifname, void* command) {
  struct ifreq request = {};
  strncpy(request.ifr_name, ifname.c_str(), IFNAMSIZ - 1);
  request.ifr_data = static_cast<char*>(command);
  return ioctl(fd, SIOCETHTOOL, &request) < 0 ? errno : 0;
}

std::string Text(const char* field, size_t bytes) { return {field, strnlen(field, bytes)}; }

void ReadDriver(int fd, const std::string& ifname, Napi::Object result) {
  struct ethtool_drvinfo info = {};
  info.cmd = ETHTOOL_GDRVINFO;
  if (Ethtool(fd, ifname, &info) != 0) return;
  result.Set("driver", Text(info.driver, sizeof info.driver));
  result.Set("version", Text(info.version, sizeof info.version));
  result.Set("firmware", Text(info.fw_version, sizeof info.fw_version));
}

void ReadLink(int fd, const std::string& ifname, Napi::Object result) {
  struct ethtool_cmd command = {};
  command.cmd = ETHTOOL_GSET;
  if (Ethtool(fd, ifname, &command) != 0) return;
  uint32_t speed = ethtool_cmd_speed(&command);
  result.Set("speedMbps", speed == static_cast<uint32_t>(SPEED_UNKNOWN) ? 0 : speed);
  if (command.duplex == DUPLEX_FULL || command.duplex == DUPLEX_HALF) {
    result.Set("fullDuplex", command.duplex == DUPLEX_FULL);
  }
  result.Set("port", command.port);
  result.Set("autoneg", command.autoneg == AUTONEG_ENABLE);
  result.Set("supported", command.supported);
  result.Set("advertising", command.advertising);
}

void ReadSegmentation(int fd, const std::string& ifname, Napi::Object result) {
  struct ethtool_value value = {};
  value.cmd = ETHTOOL_GTSO;
  if (Ethtool(fd, ifname, &value) == 0) result.Set("tso", value.data != 0);
}

Napi::Value EthtoolInfo(const Napi::CallbackInfo& info) {
  Napi::Env env = info.Env();
  std::string ifname = StringArg(info, 0, "ifname");
  if (ifname.size() >= IFNAMSIZ) throw SystemError(env, ENODEV, "SIOCETHTOOL");
  OwnedFd fd(Check(env, socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), "socket"));
  Napi::Object result = Napi::Object::New(env);
  ReadDriver(fd.Get(), ifname, result);
  ReadLink(fd.Get(), ifname, result);
  ReadSegmentation(fd.Get(), ifname, result);
  return result;
}

// The link bit of the PHY's status register. 0, or a positive errno.
int MiiLinkStatus(int fd, const std::string& ifname, bool* up) {
  struct ifreq request = {};
  strncpy(request.ifr_name, ifname.c_str(), IFNAMSIZ - 1);
  // The registers' arguments lie in the request itself, in place of a pointer to them.
  static_assert(sizeof(struct mii_ioctl_data) <= sizeof request.ifr_ifru);
  struct mii_ioctl_data mii = {};
  if (ioctl(fd, SIOCGMIIPHY, &request) < 0) return errno;
  memcpy(&mii, &request.ifr_ifru, sizeof mii);
  mii.reg_num = MII_BMSR;
  memcpy(&request.ifr_ifru, &mii, sizeof mii);
  if (ioctl(fd, SIOCGMIIREG, &request) < 0) return errno;
  memcpy(&mii, &request.ifr_ifru, sizeof mii);
  *up = (mii.val_out & BMSR_LSTATUS) != 0;
  return 0;
}

// True, false, or null when neither MII nor ethtool tells.
Napi::Value MiiLink(const Napi::CallbackInfo& info) {
  Napi::Env env = info.Env();
  std::string ifname = StringArg(info, 0, "ifname");
  if (ifname.size() >= IFNAMSIZ) return env.Null();
  OwnedFd fd(Check(env, socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), "socket"));
  bool up = false;
  if (MiiLinkStatus(fd.Get(), ifname, &up) == 0) return Napi::Boolean::New(env, up);
  struct ethtool_value value = {};
  value.cmd = ETHTOOL_GLINK;
  if (Ethtool(fd.Get(), ifname, &value) != 0) return env.Null();
  return Napi::Boolean::New(env, value.data != 0);
}

}  // namespace

void InitEthtool(Napi::Env env, Napi::Object exports) {
  exports.Set("ethtoolInfo", Napi::Function::New(env, EthtoolInfo, "ethtoolInfo"));
  exports.Set("miiLink", Napi::Function::New(env, MiiLink, "miiLink"));
}

}  // namespace tapswitch
