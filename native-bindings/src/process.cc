// What a daemon asks of the kernel about itself: CPUs, threads, locks, namespaces, eventfds.
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/syscall.h>

#include <cstring>
#include <memory>

#include "addon.h"
#include "args.h"
#include "system_error.h"

namespace tapswitch {
namespace {

constexpr int kCpusMax = 8192;  // CONFIG_NR_CPUS of the largest distribution kernels

struct CpuSetFree {
  void operator()(cpu_set_t* set) const { CPU_FREE(set); }
};
using CpuSet = std::unique_ptr<cpu_set_t, CpuSetFree>;

CpuSet NewCpuSet() {
  CpuSet set(CPU_ALLOC(kCpusMax));
  CPU_ZERO_S(CPU_ALLOC_SIZE(kCpusMax), set.get());
  return set;
}

Napi::Value SetAffinity(const Napi::CallbackInfo& info) {
  Napi::Env env = info.Env();
  if (!info[0].IsArray()) throw Napi::TypeError::New(env, "cpus must be an array");
  Napi::Array cpus = info[0].As<Napi::Array>();
  CpuSet set = NewCpuSet();
  size_t size = CPU_ALLOC_SIZE(kCpusMax);
  for (uint32_t i = 0; i < cpus.Length(); i++) {
    Napi::Value value = cpus.Get(i);
    int64_t cpu = value.IsNumber() ? value.As<Napi::Number>().Int64Value() : -1;
    if (cpu < 0 || cpu >= kCpusMax) throw Napi::RangeError::New(env, "no such CPU number");
    CPU_SET_S(static_cast<size_t>(cpu), size, set.get());
  }
  Check(env, sched_setaffinity(0, size, set.get()), "sched_setaffinity");
  return env.Undefined();
}

Napi::Value GetAffinity(const Napi::CallbackInfo& info) {
  Napi::Env env = info.Env();
  CpuSet set = NewCpuSet();
  size_t size = CPU_ALLOC_SIZE(kCpusMax);
  Check(env, sched_getaffinity(0, size, set.get()), "sched_getaffinity");
  Napi::Array result = Napi::Array::New(env);
  uint32_t count = 0;
  for (int cpu = 0; cpu < kCpusMax; cpu++) {
    if (CPU_ISSET_S(static_cast<size_t>(cpu), size, set.get())) result.Set(count++, cpu);
  }
  return result;
}

Napi::Value GetTid(const Napi::CallbackInfo& info) {
  return Napi::Number::New(info.Env(), static_cast<double>(syscall(SYS_gettid)));
}

Napi::Value SetThreadName(const Napi::CallbackInfo& info) {
  // The kernel keeps 15 characters.
  std::string name = StringArg(info, 0, "name").substr(0, 15);
  int error = pthread_setname_np(pthread_self(), name.c_str());
  if (error != 0) throw SystemError(info.Env(), error, "pthread_setname_np");
  return info.Env().Undefined();
}

Napi::Value ThreadCpuTimeUs(const Napi::CallbackInfo& info) {
  struct timespec used;
  Check(info.Env(), clock_gettime(CLOCK_THREAD_CPUTIME_ID, &used), "clock_gettime");
  return Napi::Number::New(info.Env(), static_cast<double>(used.tv_sec) * 1e6 +
                                           static_cast<double>(used.tv_nsec / 1000));
}

uint64_t Cycles() {
#if defined(__x86_64__)
  return __builtin_ia32_rdtsc();
#elif defined(__aarch64__)
  uint64_t ticks;
  asm volatile("mrs %0, cntvct_el0" : "=r"(ticks));
  return ticks;
#else
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<uint64_t>(now.tv_sec) * 1000000000u + static_cast<uint64_t>(now.tv_nsec);
#endif
}

Napi::Value CycleCount(const Napi::CallbackInfo& info) {
  return Napi::Number::New(info.Env(), static_cast<double>(Cycles()));
}

// A small integer, which costs no allocation: for differences of less than 2^31 cycles.
Napi::Value CycleCountLow(const Napi::CallbackInfo& info) {
  napi_value result;
  napi_create_int32(info.Env(), static_cast<int32_t>(Cycles() & 0x3fffffff), &result);
  return Napi::Value(info.Env(), result);
}

// CLOCK_MONOTONIC in microseconds, modulo 2^30: a small integer.
Napi::Value ClockUsLow(const Napi::CallbackInfo& info) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  int64_t us = static_cast<int64_t>(now.tv_sec) * 1000000 + now.tv_nsec / 1000;
  napi_value result;
  napi_create_int32(info.Env(), static_cast<int32_t>(us & 0x3fffffff), &result);
  return Napi::Value(info.Env(), result);
}

Napi::Value FcntlLock(const Napi::CallbackInfo& info) {
  Napi::Env env = info.Env();
  int fd = Int32Arg(info, 0, "fd");
  // The holder may go away between the two questions: ask again, a few times.
  for (int attempt = 0; attempt < 8; attempt++) {
    struct flock lock = {};
    lock.l_type = F_WRLCK;
    lock.l_whence = SEEK_SET;
    if (fcntl(fd, F_SETLK, &lock) == 0) return Napi::Number::New(env, 0);
    if (errno != EAGAIN && errno != EACCES) throw SystemError(env, errno, "fcntl");
    Check(env, fcntl(fd, F_GETLK, &lock), "fcntl");
    if (lock.l_type != F_UNLCK) return Napi::Number::New(env, lock.l_pid);
  }
  throw SystemError(env, EAGAIN, "fcntl");
}

Napi::Value SetNs(const Napi::CallbackInfo& info) {
  Napi::Env env = info.Env();
  std::string path = StringArg(info, 0, "path");
  OwnedFd fd(Check(env, open(path.c_str(), O_RDONLY | O_CLOEXEC), "open"));
  Check(env, setns(fd.Get(), CLONE_NEWNET), "setns");
  return env.Undefined();
}

Napi::Value EventFd(const Napi::CallbackInfo& info) {
  int fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
  return Napi::Number::New(info.Env(), Check(info.Env(), fd, "eventfd"));
}

Napi::Value EventFdWrite(const Napi::CallbackInfo& info) {
  uint64_t one = 1;
  // EAGAIN: the counter is full, so it is set already.
  if (write(Int32Arg(info, 0, "fd"), &one, sizeof one) < 0 && errno != EAGAIN) {
    throw SystemError(info.Env(), errno, "write");
  }
  return info.Env().Undefined();
}

Napi::Value EventFdDrain(const Napi::CallbackInfo& info) {
  uint64_t value;
  ssize_t got = read(Int32Arg(info, 0, "fd"), &value, sizeof value);
  if (got < 0 && errno != EAGAIN) throw SystemError(info.Env(), errno, "read");
  return Napi::Boolean::New(info.Env(), got > 0);
}

// The clock of the kernel's receive time stamps.
Napi::Value RealtimeUs(const Napi::CallbackInfo& info) {
  struct timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  double us = static_cast<double>(now.tv_sec) * 1e6 + static_cast<double>(now.tv_nsec) / 1e3;
  return Napi::Number::New(info.Env(), us);
}

}  // namespace

void InitProcess(Napi::Env env, Napi::Object exports) {
  exports.Set("setAffinity", Napi::Function::New(env, SetAffinity, "setAffinity"));
  exports.Set("getAffinity", Napi::Function::New(env, GetAffinity, "getAffinity"));
  exports.Set("gettid", Napi::Function::New(env, GetTid, "gettid"));
  exports.Set("setThreadName", Napi::Function::New(env, SetThreadName, "setThreadName"));
  exports.Set("threadCpuTimeUs", Napi::Function::New(env, ThreadCpuTimeUs, "threadCpuTimeUs"));
  exports.Set("cycleCount", Napi::Function::New(env, CycleCount, "cycleCount"));
  exports.Set("cycleCountLow", Napi::Function::New(env, CycleCountLow, "cycleCountLow"));
  exports.Set("clockUsLow", Napi::Function::New(env, ClockUsLow, "clockUsLow"));
  exports.Set("realtimeUs", Napi::Function::New(env, RealtimeUs, "realtimeUs"));
  exports.Set("fcntlLock", Napi::Function::New(env, FcntlLock, "fcntlLock"));
  exports.Set("setns", Napi::Function::New(env, SetNs, "setns"));
  exports.Set("eventfd", Napi::Function::New(env, EventFd, "eventfd"));
  exports.Set("eventfdWrite", Napi::Function::New(env, EventFdWrite, "eventfdWrite"));
  exports.Set("eventfdDrain", Napi::Function::New(env, EventFdDrain, "eventfdDrain"));
}

}  // namespace tapswitch
