// BPF maps, programs and their attachments: bpf(2), and SO_ATTACH_BPF.
//
// What a program does is assembled in TypeScript (src/datapath/kernel-cache); here it is only
// handed to the kernel. A map is one array element that is mapped into this process, so that both
// sides read and write it without a system call.
#include <sys/mman.h>
#include <sys/socket.h>

#include <cstring>
#include <vector>

#include "addon.h"
#include "args.h"
#include "bpf.h"
#include "system_error.h"

#ifndef SO_ATTACH_BPF
#define SO_ATTACH_BPF 50
#endif

namespace tapswitch {
namespace {

constexpr uint32_t kMmapable = 1U << 10;  // BPF_F_MMAPABLE
constexpr size_t kLogBytes = 1 << 20;
constexpr size_t kLogTail = 2000;

// BPF_LINK_UPDATE's part of union bpf_attr.
struct LinkUpdate {
  uint32_t link_fd;
  uint32_t new_prog_fd;
  uint32_t flags;
  uint32_t old_prog_fd;
};

Napi::Value MapCreate(const Napi::CallbackInfo& info) {
  union bpf_attr attr = {};
  attr.map_type = BPF_MAP_TYPE_ARRAY;
  attr.key_size = sizeof(uint32_t);
  attr.value_size = static_cast<uint32_t>(SizeArg(info, 0, "bytes"));
  attr.max_entries = 1;
  attr.map_flags = kMmapable;
  memcpy(attr.map_name, "tapswitch", sizeof "tapswitch");
  return Napi::Number::New(info.Env(),
                           Check(info.Env(), Bpf(BPF_MAP_CREATE, &attr), "BPF_MAP_CREATE"));
}

Napi::Value MapMemory(const Napi::CallbackInfo& info) {
  Napi::Env env = info.Env();
  int fd = Int32Arg(info, 0, "fd");
  size_t bytes = SizeArg(info, 1, "bytes");
  void* base = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  if (base == MAP_FAILED) throw SystemError(env, errno, "mmap");
  return Napi::ArrayBuffer::New(env, base, bytes,
                                [bytes](Napi::Env, void* data) { munmap(data, bytes); });
}

// The verifier's complaint ends its log; what stands before is the way there.
Napi::Error Rejected(Napi::Env env, int error, const std::vector<char>& log) {
  Napi::Error result = SystemError(env, error, "BPF_PROG_LOAD");
  size_t length = strnlen(log.data(), log.size());
  size_t start = length > kLogTail ? length - kLogTail : 0;
  result.Set("log", std::string(log.data() + start, length - start));
  return result;
}

Napi::Value ProgLoad(const Napi::CallbackInfo& info) {
  Napi::Env env = info.Env();
  std::string type = StringArg(info, 0, "type");
  if (!info[1].IsTypedArray()) throw Napi::TypeError::New(env, "code must be a Uint8Array");
  Napi::Uint8Array code = info[1].As<Napi::Uint8Array>();
  union bpf_attr attr = {};
  attr.prog_type = type == "socket_filter" ? BPF_PROG_TYPE_SOCKET_FILTER : BPF_PROG_TYPE_SCHED_CLS;
  attr.insns = reinterpret_cast<uint64_t>(code.Data());
  attr.insn_cnt = static_cast<uint32_t>(code.ByteLength() / sizeof(struct bpf_insn));
  attr.license = reinterpret_cast<uint64_t>("Apache-2.0");
  memcpy(attr.prog_name, "tapswitch", sizeof "tapswitch");
  int fd = Bpf(BPF_PROG_LOAD, &attr);
  if (fd < 0 && errno != EPERM) {
    // Once more, for the reason: asking for it at once would make every load slow.
    int error = errno;
    std::vector<char> log(kLogBytes);
    attr.log_level = 1;
    attr.log_buf = reinterpret_cast<uint64_t>(log.data());
    attr.log_size = static_cast<uint32_t>(log.size());
    fd = Bpf(BPF_PROG_LOAD, &attr);
    if (fd < 0) throw Rejected(env, error, log);
  }
  return Napi::Number::New(env, Check(env, fd, "BPF_PROG_LOAD"));
}

Napi::Value TcxAttach(const Napi::CallbackInfo& info) {
  LinkCreate attr = {};
  attr.prog_fd = static_cast<uint32_t>(Int32Arg(info, 0, "program"));
  attr.target_ifindex = static_cast<uint32_t>(Int32Arg(info, 1, "ifindex"));
  attr.attach_type = info[2].ToBoolean() ? kTcxEgress : kTcxIngress;
  return Napi::Number::New(info.Env(),
                           Check(info.Env(), Bpf(BPF_LINK_CREATE, &attr), "BPF_LINK_CREATE"));
}

Napi::Value LinkUpdateProgram(const Napi::CallbackInfo& info) {
  LinkUpdate attr = {};
  attr.link_fd = static_cast<uint32_t>(Int32Arg(info, 0, "link"));
  attr.new_prog_fd = static_cast<uint32_t>(Int32Arg(info, 1, "program"));
  Check(info.Env(), Bpf(BPF_LINK_UPDATE, &attr), "BPF_LINK_UPDATE");
  return info.Env().Undefined();
}

Napi::Value TestRun(const Napi::CallbackInfo& info) {
  Napi::Env env = info.Env();
  if (!info[1].IsTypedArray()) throw Napi::TypeError::New(env, "frame must be a Uint8Array");
  Napi::Uint8Array frame = info[1].As<Napi::Uint8Array>();
  union bpf_attr attr = {};
  attr.test.prog_fd = static_cast<uint32_t>(Int32Arg(info, 0, "program"));
  attr.test.data_in = reinterpret_cast<uint64_t>(frame.Data());
  attr.test.data_size_in = static_cast<uint32_t>(frame.ByteLength());
  attr.test.repeat = 1;
  Check(env, Bpf(BPF_PROG_TEST_RUN, &attr), "BPF_PROG_TEST_RUN");
  return Napi::Number::New(env, attr.test.retval);
}

Napi::Value SocketFilter(const Napi::CallbackInfo& info) {
  int fd = Int32Arg(info, 0, "fd");
  int program = Int32Arg(info, 1, "program");
  int option = program < 0 ? SO_DETACH_FILTER : SO_ATTACH_BPF;
  int value = program < 0 ? 0 : program;
  Check(info.Env(), setsockopt(fd, SOL_SOCKET, option, &value, sizeof value), "setsockopt");
  return info.Env().Undefined();
}

}  // namespace

void InitBpfObjects(Napi::Env env, Napi::Object exports) {
  exports.Set("bpfMapCreate", Napi::Function::New(env, MapCreate, "bpfMapCreate"));
  exports.Set("bpfMapMemory", Napi::Function::New(env, MapMemory, "bpfMapMemory"));
  exports.Set("bpfProgLoad", Napi::Function::New(env, ProgLoad, "bpfProgLoad"));
  exports.Set("bpfTcxAttach", Napi::Function::New(env, TcxAttach, "bpfTcxAttach"));
  exports.Set("bpfLinkUpdate", Napi::Function::New(env, LinkUpdateProgram, "bpfLinkUpdate"));
  exports.Set("bpfTestRun", Napi::Function::New(env, TestRun, "bpfTestRun"));
  exports.Set("socketFilter", Napi::Function::New(env, SocketFilter, "socketFilter"));
}

}  // namespace tapswitch
