// The arena: reserved address space, seen from JavaScript as one ArrayBuffer, in which the rings
// of packet sockets are mapped.
//
//     | slab (plain memory) | ring of port 1 | ring of port 2 | reserved, costs nothing ... |
//     ^ 0                   ^ page-aligned offsets
//
// The mapping belongs to the ArrayBuffer: it is unmapped, rings and all, when that is collected.
#include <sys/mman.h>

#include "addon.h"
#include "args.h"
#include "system_error.h"

namespace tapswitch {
namespace {

// Offsets must stay small integers in JavaScript (31 bits on some builds).
constexpr uint64_t kArenaBytesMax = (uint64_t{1} << 31) - 4096;

uint64_t PageSize() { return static_cast<uint64_t>(sysconf(_SC_PAGESIZE)); }

Napi::Value ArenaCreate(const Napi::CallbackInfo& info) {
  Napi::Env env = info.Env();
  uint64_t bytes = SizeArg(info, 0, "bytes");
  if (bytes == 0 || bytes > kArenaBytesMax || bytes % PageSize() != 0) {
    throw Napi::RangeError::New(env, "bytes must be a multiple of the page size below 2 GiB");
  }
  void* base = mmap(nullptr, bytes, PROT_READ | PROT_WRITE,
                    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (base == MAP_FAILED) throw SystemError(env, errno, "mmap");
  // Rings come and go in small pieces: huge pages would cost memory where one byte is touched.
  madvise(base, bytes, MADV_NOHUGEPAGE);
  return Napi::ArrayBuffer::New(env, base, bytes,
                                [bytes](Napi::Env, void* data) { munmap(data, bytes); });
}

// The address of [offset, offset + bytes) of the arena; throws unless page-aligned and inside.
void* ArenaRange(const Napi::CallbackInfo& info, size_t arena_index, uint64_t* bytes) {
  Napi::Env env = info.Env();
  if (!info[arena_index].IsArrayBuffer()) {
    throw Napi::TypeError::New(env, "arena must be an ArrayBuffer");
  }
  Napi::ArrayBuffer arena = info[arena_index].As<Napi::ArrayBuffer>();
  uint64_t offset = SizeArg(info, arena_index + 1, "offset");
  *bytes = SizeArg(info, arena_index + 2, "bytes");
  uint64_t size = arena.ByteLength();
  uint64_t page = PageSize();
  uintptr_t base = reinterpret_cast<uintptr_t>(arena.Data());
  if (*bytes == 0 || offset > size || *bytes > size - offset || offset % page != 0 ||
      *bytes % page != 0 || base % page != 0) {
    throw Napi::RangeError::New(env, "offset and bytes must be page-aligned inside the arena");
  }
  return static_cast<uint8_t*>(arena.Data()) + offset;
}

Napi::Value RingMap(const Napi::CallbackInfo& info) {
  int fd = Int32Arg(info, 0, "fd");
  uint64_t bytes;
  void* address = ArenaRange(info, 1, &bytes);
  // MAP_SHARED drops what was there; no MAP_POPULATE: the kernel maps ring pages at once anyway.
  void* mapped = mmap(address, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, fd, 0);
  if (mapped == MAP_FAILED) {
    int error = errno;
    // A failed MAP_FIXED may leave a hole behind; reading it must not kill the process.
    mmap(address, bytes, PROT_READ | PROT_WRITE,
         MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1, 0);
    throw SystemError(info.Env(), error, "mmap");
  }
  return info.Env().Undefined();
}

Napi::Value RingUnmap(const Napi::CallbackInfo& info) {
  uint64_t bytes;
  void* address = ArenaRange(info, 0, &bytes);
  void* mapped = mmap(address, bytes, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1, 0);
  if (mapped == MAP_FAILED) throw SystemError(info.Env(), errno, "mmap");
  return info.Env().Undefined();
}

}  // namespace

void InitArena(Napi::Env env, Napi::Object exports) {
  exports.Set("arenaCreate", Napi::Function::New(env, ArenaCreate, "arenaCreate"));
  exports.Set("ringMap", Napi::Function::New(env, RingMap, "ringMap"));
  exports.Set("ringUnmap", Napi::Function::New(env, RingUnmap, "ringUnmap"));
}

}  // namespace tapswitch
