// Packet sockets (packet(7)): opening one with its receive ring, and its counters.
//
// The order of options is the kernel's: the virtio header and the reserve are fixed once a ring
// exists (packet_ring.cc), and a socket joins a fanout group only when bound. Binding comes last,
// so that no frame of another interface ever gets into the ring.
#include <arpa/inet.h>
#include <linux/filter.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <sys/socket.h>

#include <cstring>

#include "addon.h"
#include "args.h"
#include "packet_ring.h"
#include "system_error.h"

#ifndef PACKET_FANOUT_FLAG_IGNORE_OUTGOING
#define PACKET_FANOUT_FLAG_IGNORE_OUTGOING 0x4000
#endif

namespace tapswitch {
namespace {

struct OpenOptions {
  std::string ifname;
  uint32_t slots;
  uint32_t slot_bytes;
  int reserve;
  int rcv_buf_bytes;
  int snd_buf_bytes;
  int fanout_id;  // -1: none
  bool qdisc_bypass;
};

OpenOptions ReadOptions(Napi::Object object) {
  OpenOptions options;
  options.ifname = StringProperty(object, "ifname");
  options.slots = IntProperty(object, "slots", 2, 1 << 20);
  options.slot_bytes = IntProperty(object, "slotBytes", 128, 1 << 20);
  options.reserve = IntProperty(object, "reserve", 0, 4096);
  options.rcv_buf_bytes = IntProperty(object, "rcvBufBytes", 4096, 1 << 30);
  options.snd_buf_bytes = IntProperty(object, "sndBufBytes", 4096, 1 << 30);
  options.fanout_id =
      object.Get("fanoutId").IsUndefined() ? -1 : IntProperty(object, "fanoutId", 0, 0xffff);
  Napi::Value bypass = object.Get("qdiscBypass");
  options.qdisc_bypass = bypass.IsUndefined() || bypass.ToBoolean();
  return options;
}

void SetInt(Napi::Env env, int fd, int level, int option, int value) {
  Check(env, setsockopt(fd, level, option, &value, sizeof value), "setsockopt");
}

// Buffer bounds beyond the system's limit need CAP_NET_ADMIN of the machine's own user namespace:
// without it, the system's limit is the bound.
void SetBuffer(Napi::Env env, int fd, int force_option, int plain_option, int bytes) {
  if (setsockopt(fd, SOL_SOCKET, force_option, &bytes, sizeof bytes) < 0) {
    SetInt(env, fd, SOL_SOCKET, plain_option, bytes);
  }
}

void JoinPromiscuous(Napi::Env env, int fd, int ifindex) {
  struct packet_mreq request = {};
  request.mr_ifindex = ifindex;
  request.mr_type = PACKET_MR_PROMISC;
  Check(env, setsockopt(fd, SOL_PACKET, PACKET_ADD_MEMBERSHIP, &request, sizeof request),
        "setsockopt");
}

void Bind(Napi::Env env, int fd, int ifindex) {
  struct sockaddr_ll address = {};
  address.sll_family = AF_PACKET;
  address.sll_protocol = htons(ETH_P_ALL);
  address.sll_ifindex = ifindex;
  Check(env, bind(fd, reinterpret_cast<struct sockaddr*>(&address), sizeof address), "bind");
}

// A socket may join a group only after it is bound, when it already receives all frames, which
// other members receive too: a filter keeps it deaf. The filter stays: each member that joins
// changes who gets which flow, so all are to begin only when all are there (socketFilter(fd, -1)).
void BindInFanout(Napi::Env env, int fd, int ifindex, int fanout_id) {
  struct sock_filter drop_all = BPF_STMT(BPF_RET | BPF_K, 0);
  struct sock_fprog program = {1, &drop_all};
  Check(env, setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof program), "setsockopt");
  Bind(env, fd, ifindex);
  // The group hears for its members: what the switch sends must be kept from it, too.
  int mode = PACKET_FANOUT_HASH | PACKET_FANOUT_FLAG_IGNORE_OUTGOING;
  SetInt(env, fd, SOL_PACKET, PACKET_FANOUT, fanout_id | (mode << 16));
}

RingShape ShapeOf(const OpenOptions& options) {
  return {options.slots, options.slot_bytes, options.reserve};
}

Napi::Value PacketOpen(const Napi::CallbackInfo& info) {
  Napi::Env env = info.Env();
  OpenOptions options = ReadOptions(ObjectArg(info, 0, "options"));
  RingShape shape = ShapeOf(options);
  if (!IsRingShape(shape)) {
    throw Napi::RangeError::New(env, "the ring's slots must fill whole pages, at most 1 GiB");
  }
  const char* syscall;
  int ring = OpenRing(shape, &syscall);
  if (ring < 0) throw SystemError(env, errno, syscall);
  OwnedFd fd(ring);
  int ifindex = static_cast<int>(if_nametoindex(options.ifname.c_str()));
  if (ifindex == 0) throw SystemError(env, errno, "if_nametoindex");

  if (options.qdisc_bypass) SetInt(env, fd.Get(), SOL_PACKET, PACKET_QDISC_BYPASS, 1);
  SetBuffer(env, fd.Get(), SO_RCVBUFFORCE, SO_RCVBUF, options.rcv_buf_bytes);
  SetBuffer(env, fd.Get(), SO_SNDBUFFORCE, SO_SNDBUF, options.snd_buf_bytes);
  JoinPromiscuous(env, fd.Get(), ifindex);
  if (options.fanout_id < 0) {
    Bind(env, fd.Get(), ifindex);
  } else {
    BindInFanout(env, fd.Get(), ifindex, options.fanout_id);
  }

  Napi::Object result = Napi::Object::New(env);
  result.Set("ifindex", ifindex);
  result.Set("ringBytes", static_cast<double>(uint64_t{options.slots} * options.slot_bytes));
  result.Set("fd", fd.Release());
  return result;
}

void PacketExpect(const Napi::CallbackInfo& info) {
  Napi::Object options = ObjectArg(info, 0, "options");
  RingShape shape;
  shape.slots = IntProperty(options, "slots", 2, 1 << 20);
  shape.slot_bytes = IntProperty(options, "slotBytes", 128, 1 << 20);
  shape.reserve = IntProperty(options, "reserve", 0, 4096);
  uint64_t count = SizeArg(info, 1, "count");
  ExpectRings(shape, IsRingShape(shape) ? static_cast<uint32_t>(count) : 0);
}

void SetReceiveBuffer(const Napi::CallbackInfo& info) {
  Napi::Env env = info.Env();
  int fd = Int32Arg(info, 0, "fd");
  // The kernel doubles what it is given, to have room for its own structures.
  int half = Int32Arg(info, 1, "bytes") / 2;
  SetBuffer(env, fd, SO_RCVBUFFORCE, SO_RCVBUF, half);
}

Napi::Value PacketStatistics(const Napi::CallbackInfo& info) {
  Napi::Env env = info.Env();
  struct tpacket_stats stats = {};
  socklen_t length = sizeof stats;
  Check(env, getsockopt(Int32Arg(info, 0, "fd"), SOL_PACKET, PACKET_STATISTICS, &stats, &length),
        "getsockopt");
  Napi::Object result = Napi::Object::New(env);
  // The kernel counts dropped frames among the packets too.
  result.Set("packets", stats.tp_packets - stats.tp_drops);
  result.Set("drops", stats.tp_drops);
  return result;
}

Napi::Value Close(const Napi::CallbackInfo& info) {
  // Linux releases the descriptor even when close is interrupted.
  if (close(Int32Arg(info, 0, "fd")) < 0 && errno != EINTR) {
    throw SystemError(info.Env(), errno, "close");
  }
  return info.Env().Undefined();
}

}  // namespace

void InitPacketSocket(Napi::Env env, Napi::Object exports) {
  exports.Set("packetOpen", Napi::Function::New(env, PacketOpen, "packetOpen"));
  exports.Set("packetExpect", Napi::Function::New(env, PacketExpect, "packetExpect"));
  exports.Set("setReceiveBuffer", Napi::Function::New(env, SetReceiveBuffer, "setReceiveBuffer"));
  exports.Set("packetStatistics", Napi::Function::New(env, PacketStatistics, "packetStatistics"));
  exports.Set("close", Napi::Function::New(env, Close, "close"));
}

}  // namespace tapswitch
