// What the files that load and attach BPF programs share: bpf(2), its parts that build headers may
// lack, and instructions.
#pragma once

#include <linux/bpf.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstdint>

namespace tapswitch {

constexpr uint32_t kTcxIngress = 46;  // BPF_TCX_INGRESS, newer than some build headers
constexpr uint32_t kTcxEgress = 47;   // BPF_TCX_EGRESS

// BPF_LINK_CREATE's part of union bpf_attr, as far as tcx and XDP need it.
struct LinkCreate {
  uint32_t prog_fd;
  uint32_t target_ifindex;
  uint32_t attach_type;
  uint32_t flags;
  uint64_t relative_fd;
  uint64_t expected_revision;
};

// Returns what the command does, or -1 with errno.
template <typename T>
int Bpf(int command, T* attr) {
  return static_cast<int>(syscall(SYS_bpf, command, attr, sizeof *attr));
}

inline struct bpf_insn Instruction(uint8_t code, uint8_t dst, uint8_t src, int16_t off,
                                   int32_t imm) {
  struct bpf_insn instruction = {};
  instruction.code = code;
  instruction.dst_reg = dst & 0xf;
  instruction.src_reg = src & 0xf;
  instruction.off = off;
  instruction.imm = imm;
  return instruction;
}

}  // namespace tapswitch
