// What a device's driver tells about it (ethtool): driver, speed, duplex, segmentation offload.
//
// The ioctls work in whatever network namespace the calling thread is in; /sys shows that of
// whoever mounted it.
#include <linux/ethtool.h>
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

}  // namespace

void InitEthtool(Napi::Env env, Napi::Object exports) {
  exports.Set("ethtoolInfo", Napi::Function::New(env, EthtoolInfo, "ethtoolInfo"));
}

}  // namespace tapswitch
