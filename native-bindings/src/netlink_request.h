// One rtnetlink request and its acknowledgement, for the few that native code makes itself.
//
// Not for: links and their events, which src/netdev/rtnetlink.ts encodes and parses.
#pragma once

#include <linux/netlink.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstdint>
#include <cstring>

#include "system_error.h"

namespace tapswitch {

class NetlinkRequest {
 public:
  NetlinkRequest(uint16_t type, uint16_t flags) {
    header()->nlmsg_type = type;
    header()->nlmsg_flags = static_cast<uint16_t>(NLM_F_REQUEST | NLM_F_ACK | flags);
    header()->nlmsg_seq = 1;
    header()->nlmsg_len = NLMSG_HDRLEN;
  }

  void Append(const void* data, size_t bytes) {
    memcpy(buffer_ + header()->nlmsg_len, data, bytes);
    header()->nlmsg_len += NLMSG_ALIGN(static_cast<uint32_t>(bytes));
  }

  // Every request here is a fixed, short list of attributes: far below the buffer's size.
  void Attribute(uint16_t type, const void* data, size_t bytes) {
    struct nlattr attribute = {static_cast<uint16_t>(NLA_HDRLEN + bytes), type};
    Append(&attribute, sizeof attribute);
    Append(data, bytes);
  }

  size_t BeginNested(uint16_t type) {
    size_t at = header()->nlmsg_len;
    Attribute(type, nullptr, 0);
    return at;
  }

  void EndNested(size_t at) {
    uint16_t length = static_cast<uint16_t>(header()->nlmsg_len - at);
    memcpy(buffer_ + at, &length, sizeof length);
  }

  // Sends the request and waits for the kernel's answer: 0, or a positive errno.
  int Exchange() {
    OwnedFd fd(socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE));
    if (fd.Get() < 0) return errno;
    if (send(fd.Get(), buffer_, header()->nlmsg_len, 0) < 0) return errno;
    alignas(struct nlmsghdr) char answer[4096];
    ssize_t got = recv(fd.Get(), answer, sizeof answer, 0);
    if (got < 0) return errno;
    auto* message = reinterpret_cast<struct nlmsghdr*>(answer);
    if (got < static_cast<ssize_t>(NLMSG_LENGTH(sizeof(struct nlmsgerr))) ||
        message->nlmsg_type != NLMSG_ERROR) {
      return EPROTO;
    }
    return -static_cast<struct nlmsgerr*>(NLMSG_DATA(message))->error;
  }

 private:
  struct nlmsghdr* header() {
    return reinterpret_cast<struct nlmsghdr*>(buffer_);
  }

  alignas(struct nlmsghdr) char buffer_[512] = {};
};

}  // namespace tapswitch
