// Shuts the host's own IP stack out of an interface that the switch has taken.
//
// A two-instruction program at the interface's ingress drops every frame. It runs behind the packet
// sockets' tap, so the switch still sees them all:
//
//     device -> packet sockets (ETH_P_ALL) -> tc ingress: drop | -> bridge, IP stack
//
// Where the kernel has tcx (6.6) and the process may load programs, the program hangs on a link
// that lives as long as its descriptor. Otherwise: a clsact qdisc with a cls_bpf filter of classic
// bytecode, which needs CAP_NET_ADMIN only, and stays until it is removed.
#include "bpf.h"

#include <linux/filter.h>
#include <linux/if_ether.h>
#include <linux/pkt_cls.h>
#include <linux/pkt_sched.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>

#include <cstring>

#include "addon.h"
#include "args.h"
#include "netlink_request.h"
#include "system_error.h"

namespace tapswitch {
namespace {

constexpr uint32_t kFilterPriority = 1;
constexpr uint32_t kFilterHandle = 0x7461;  // ours, to be told from the user's own filters
constexpr uint32_t kIngressParent = TC_H_MAKE(TC_H_CLSACT, TC_H_MIN_INGRESS);

// Returns a descriptor, or -1 with errno.
int LoadDropProgram() {
  struct bpf_insn instructions[2] = {};
  instructions[0].code = BPF_ALU64 | BPF_MOV | BPF_K;  // r0 = TC_ACT_SHOT
  instructions[0].dst_reg = BPF_REG_0;
  instructions[0].imm = TC_ACT_SHOT;
  instructions[1].code = BPF_JMP | BPF_EXIT;
  union bpf_attr attr = {};
  attr.prog_type = BPF_PROG_TYPE_SCHED_CLS;
  attr.insns = reinterpret_cast<uint64_t>(instructions);
  attr.insn_cnt = 2;
  attr.license = reinterpret_cast<uint64_t>("Apache-2.0");
  memcpy(attr.prog_name, "tapswitch_drop", sizeof "tapswitch_drop");
  return Bpf(BPF_PROG_LOAD, &attr);
}

int CreateTcxLink(int ifindex) {
  OwnedFd program(LoadDropProgram());
  if (program.Get() < 0) return -1;
  LinkCreate attr = {};
  attr.prog_fd = static_cast<uint32_t>(program.Get());
  attr.target_ifindex = static_cast<uint32_t>(ifindex);
  attr.attach_type = kTcxIngress;
  return Bpf(BPF_LINK_CREATE, &attr);
}

void InitTcMessage(NetlinkRequest* request, int ifindex, uint32_t parent, uint32_t handle,
                   uint32_t info) {
  struct tcmsg message = {};
  message.tcm_family = AF_UNSPEC;
  message.tcm_ifindex = ifindex;
  message.tcm_parent = parent;
  message.tcm_handle = handle;
  message.tcm_info = info;
  request->Append(&message, sizeof message);
}

uint32_t FilterInfo() { return TC_H_MAKE(kFilterPriority << 16, __builtin_bswap16(ETH_P_ALL)); }

void AttachFilter(Napi::Env env, int ifindex) {
  NetlinkRequest qdisc(RTM_NEWQDISC, NLM_F_CREATE | NLM_F_EXCL);
  InitTcMessage(&qdisc, ifindex, TC_H_CLSACT, TC_H_MAKE(TC_H_CLSACT, 0), 0);
  qdisc.Attribute(TCA_KIND, "clsact", sizeof "clsact");
  int error = qdisc.Exchange();
  if (error != 0 && error != EEXIST) throw SystemError(env, error, "RTM_NEWQDISC");

  // Replaces what a killed daemon left behind.
  NetlinkRequest filter(RTM_NEWTFILTER, NLM_F_CREATE | NLM_F_REPLACE);
  InitTcMessage(&filter, ifindex, kIngressParent, kFilterHandle, FilterInfo());
  filter.Attribute(TCA_KIND, "bpf", sizeof "bpf");
  size_t options = filter.BeginNested(TCA_OPTIONS);
  struct sock_filter drop = BPF_STMT(BPF_RET | BPF_K, TC_ACT_SHOT);
  uint16_t length = 1;
  uint32_t flags = TCA_BPF_FLAG_ACT_DIRECT;
  filter.Attribute(TCA_BPF_OPS_LEN, &length, sizeof length);
  filter.Attribute(TCA_BPF_OPS, &drop, sizeof drop);
  filter.Attribute(TCA_BPF_FLAGS, &flags, sizeof flags);
  filter.EndNested(options);
  error = filter.Exchange();
  if (error != 0) throw SystemError(env, error, "RTM_NEWTFILTER");
}

// Whether the filter may succeed where the link failed: no tcx (EINVAL), no bpf(2) at all, or no
// right to call it.
bool FilterMayServe(int error) {
  return error == EINVAL || error == EOPNOTSUPP || error == ENOSYS || error == EPERM ||
         error == EACCES;
}

Napi::Value IngressDropAttach(const Napi::CallbackInfo& info) {
  Napi::Env env = info.Env();
  int ifindex = Int32Arg(info, 0, "ifindex");
  bool clsact_only = info[1].ToBoolean();
  int link = -1;
  if (!clsact_only) {
    link = CreateTcxLink(ifindex);
    if (link < 0 && !FilterMayServe(errno)) throw SystemError(env, errno, "BPF_LINK_CREATE");
  }
  if (link < 0) AttachFilter(env, ifindex);
  return Napi::Number::New(env, link);
}

Napi::Value IngressDropDetach(const Napi::CallbackInfo& info) {
  Napi::Env env = info.Env();
  OwnedFd link(Int32Arg(info, 0, "fd"));
  if (link.Get() >= 0) return env.Undefined();
  // The clsact qdisc stays: it may be the user's, and costs nothing when empty.
  NetlinkRequest filter(RTM_DELTFILTER, 0);
  InitTcMessage(&filter, Int32Arg(info, 1, "ifindex"), kIngressParent, kFilterHandle, FilterInfo());
  filter.Attribute(TCA_KIND, "bpf", sizeof "bpf");
  int error = filter.Exchange();
  // Gone with its interface, or removed by hand: nothing is left to do.
  if (error != 0 && error != ENODEV && error != ENOENT && error != EINVAL) {
    throw SystemError(env, error, "RTM_DELTFILTER");
  }
  return env.Undefined();
}

}  // namespace

void InitBpf(Napi::Env env, Napi::Object exports) {
  exports.Set("ingressDropAttach",
              Napi::Function::New(env, IngressDropAttach, "ingressDropAttach"));
  exports.Set("ingressDropDetach",
              Napi::Function::New(env, IngressDropDetach, "ingressDropDetach"));
}

}  // namespace tapswitch
