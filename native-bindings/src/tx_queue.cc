// Transmit queues: sockets that only send, each for one queue or class of an interface, and a set
// of descriptors that wait for room.
//
// The kernel chooses a transmit queue itself (netdev_pick_tx): from the CPU, or from a hash. A
// program at the interface's egress tells it ours. Every sending socket has a mark, and
//
//     frame -> tcx egress: mark 0x7a51'qqqq -> queue_mapping = qqqq + 1, mark = 0 -> skb_tx_hash
//
// takes a recorded queue number as it is, unless the interface has XPS maps of its own.
#include <linux/ethtool.h>
#include <linux/if_packet.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <cstddef>
#include <cstring>

#include "addon.h"
#include "args.h"
#include "bpf.h"
#include "system_error.h"

#ifndef SO_SNDBUFFORCE
#define SO_SNDBUFFORCE 32
#endif

namespace tapswitch {
namespace {

constexpr int32_t kTcxNext = -1;  // TCX_NEXT
constexpr uint32_t kMarkMagic = 0x7a510000;
constexpr int kQueuesMax = 4096;

// Returns a descriptor, or -1 with errno.
int LoadQueueProgram() {
  constexpr int16_t kMark = offsetof(struct __sk_buff, mark);
  constexpr int16_t kMapping = offsetof(struct __sk_buff, queue_mapping);
  const struct bpf_insn instructions[] = {
      Instruction(BPF_LDX | BPF_MEM | BPF_W, 2, 1, kMark, 0),
      Instruction(BPF_ALU64 | BPF_MOV | BPF_X, 3, 2, 0, 0),
      Instruction(BPF_ALU | BPF_AND | BPF_K, 3, 0, 0, static_cast<int32_t>(0xffff0000)),
      Instruction(BPF_JMP | BPF_JNE | BPF_K, 3, 0, 5, static_cast<int32_t>(kMarkMagic)),
      Instruction(BPF_ALU64 | BPF_AND | BPF_K, 2, 0, 0, 0xffff),
      Instruction(BPF_ALU64 | BPF_ADD | BPF_K, 2, 0, 0, 1),
      Instruction(BPF_STX | BPF_MEM | BPF_W, 1, 2, kMapping, 0),
      Instruction(BPF_ALU64 | BPF_MOV | BPF_K, 4, 0, 0, 0),
      Instruction(BPF_STX | BPF_MEM | BPF_W, 1, 4, kMark, 0),
      Instruction(BPF_ALU64 | BPF_MOV | BPF_K, 0, 0, 0, kTcxNext),
      Instruction(BPF_JMP | BPF_EXIT, 0, 0, 0, 0),
  };
  union bpf_attr attr = {};
  attr.prog_type = BPF_PROG_TYPE_SCHED_CLS;
  attr.insns = reinterpret_cast<uint64_t>(instructions);
  attr.insn_cnt = sizeof instructions / sizeof instructions[0];
  attr.license = reinterpret_cast<uint64_t>("Apache-2.0");
  memcpy(attr.prog_name, "tapswitch_txq", sizeof "tapswitch_txq");
  return Bpf(BPF_PROG_LOAD, &attr);
}

Napi::Value EgressQueueAttach(const Napi::CallbackInfo& info) {
  Napi::Env env = info.Env();
  OwnedFd program(Check(env, LoadQueueProgram(), "BPF_PROG_LOAD"));
  LinkCreate attr = {};
  attr.prog_fd = static_cast<uint32_t>(program.Get());
  attr.target_ifindex = static_cast<uint32_t>(Int32Arg(info, 0, "ifindex"));
  attr.attach_type = kTcxEgress;
  return Napi::Number::New(env, Check(env, Bpf(BPF_LINK_CREATE, &attr), "BPF_LINK_CREATE"));
}

void SetInt(Napi::Env env, int fd, int level, int option, int value) {
  Check(env, setsockopt(fd, level, option, &value, sizeof value), "setsockopt");
}

Napi::Value PacketTxOpen(const Napi::CallbackInfo& info) {
  Napi::Env env = info.Env();
  Napi::Object options = ObjectArg(info, 0, "options");
  std::string ifname = StringProperty(options, "ifname");
  int queue = IntProperty(options, "queue", -1, kQueuesMax);
  int priority = IntProperty(options, "priority", 0, INT32_MAX);
  int bytes = IntProperty(options, "sndBufBytes", 4096, 1 << 30);
  int mark = options.Has("mark") ? IntProperty(options, "mark", 0, INT32_MAX) : 0;
  if (queue >= 0) mark = static_cast<int>(kMarkMagic) | queue;
  // Protocol 0: such a socket receives nothing.
  OwnedFd fd(Check(env, socket(AF_PACKET, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), "socket"));
  struct sockaddr_ll address = {};
  address.sll_family = AF_PACKET;
  address.sll_ifindex = static_cast<int>(if_nametoindex(ifname.c_str()));
  if (address.sll_ifindex == 0) throw SystemError(env, errno, "if_nametoindex");
  SetInt(env, fd.Get(), SOL_PACKET, PACKET_VNET_HDR, 1);
  if (setsockopt(fd.Get(), SOL_SOCKET, SO_SNDBUFFORCE, &bytes, sizeof bytes) < 0) {
    SetInt(env, fd.Get(), SOL_SOCKET, SO_SNDBUF, bytes);
  }
  if (priority > 0) SetInt(env, fd.Get(), SOL_SOCKET, SO_PRIORITY, priority);
  if (mark != 0) SetInt(env, fd.Get(), SOL_SOCKET, SO_MARK, mark);
  Check(env, bind(fd.Get(), reinterpret_cast<struct sockaddr*>(&address), sizeof address), "bind");
  return Napi::Number::New(env, fd.Release());
}

// How many transmit and receive queues the device uses now; {} when its driver does not say.
Napi::Value DeviceQueues(const Napi::CallbackInfo& info) {
  Napi::Env env = info.Env();
  std::string ifname = StringArg(info, 0, "ifname");
  if (ifname.size() >= IFNAMSIZ) throw SystemError(env, ENODEV, "SIOCETHTOOL");
  OwnedFd fd(Check(env, socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), "socket"));
  struct ethtool_channels channels = {};
  channels.cmd = ETHTOOL_GCHANNELS;
  struct ifreq request = {};
  memcpy(request.ifr_name, ifname.c_str(), ifname.size() + 1);
  request.ifr_data = reinterpret_cast<char*>(&channels);
  Napi::Object result = Napi::Object::New(env);
  if (ioctl(fd.Get(), SIOCETHTOOL, &request) < 0) return result;
  result.Set("tx", channels.tx_count + channels.combined_count);
  result.Set("rx", channels.rx_count + channels.combined_count);
  return result;
}

// A set of descriptors that is itself readable once one of its members takes frames again.
Napi::Value WritableOpen(const Napi::CallbackInfo& info) {
  return Napi::Number::New(info.Env(),
                           Check(info.Env(), epoll_create1(EPOLL_CLOEXEC), "epoll_create1"));
}

Napi::Value WritableWatch(const Napi::CallbackInfo& info) {
  struct epoll_event event = {};
  event.events = EPOLLOUT;
  int set = Int32Arg(info, 0, "set");
  int fd = Int32Arg(info, 1, "fd");
  if (epoll_ctl(set, EPOLL_CTL_ADD, fd, &event) < 0 && errno != EEXIST) {
    throw SystemError(info.Env(), errno, "epoll_ctl");
  }
  return info.Env().Undefined();
}

Napi::Value WritableUnwatch(const Napi::CallbackInfo& info) {
  // Not in the set, or closed before: as wanted.
  epoll_ctl(Int32Arg(info, 0, "set"), EPOLL_CTL_DEL, Int32Arg(info, 1, "fd"), nullptr);
  return info.Env().Undefined();
}

}  // namespace

void InitTxQueue(Napi::Env env, Napi::Object exports) {
  exports.Set("egressQueueAttach",
              Napi::Function::New(env, EgressQueueAttach, "egressQueueAttach"));
  exports.Set("packetTxOpen", Napi::Function::New(env, PacketTxOpen, "packetTxOpen"));
  exports.Set("deviceQueues", Napi::Function::New(env, DeviceQueues, "deviceQueues"));
  exports.Set("writableOpen", Napi::Function::New(env, WritableOpen, "writableOpen"));
  exports.Set("writableWatch", Napi::Function::New(env, WritableWatch, "writableWatch"));
  exports.Set("writableUnwatch", Napi::Function::New(env, WritableUnwatch, "writableUnwatch"));
}

}  // namespace tapswitch
