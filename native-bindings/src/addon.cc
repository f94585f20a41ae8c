// Entry point of the addon: gathers the exports of every file.
//
// Context-aware: nothing is kept in static variables, so the main thread and any number of worker
// threads load it at once.
#ifdef TAPSWITCH_NEEDS_LINUX
#error "tapswitch runs on Linux only: its addon is made of Linux system calls"
#endif

#include "addon.h"

namespace {

Napi::Object Init(Napi::Env env, Napi::Object exports) {
  tapswitch::InitArena(env, exports);
  tapswitch::InitBpf(env, exports);
  tapswitch::InitBpfObjects(env, exports);
  tapswitch::InitEthtool(env, exports);
  tapswitch::InitNetlink(env, exports);
  tapswitch::InitPacketIo(env, exports);
  tapswitch::InitPacketSocket(env, exports);
  tapswitch::InitProcess(env, exports);
  tapswitch::InitStream(env, exports);
  tapswitch::InitTap(env, exports);
  tapswitch::InitTxQueue(env, exports);
  tapswitch::InitWatcher(env, exports);
  tapswitch::InitXsk(env, exports);
  return exports;
}

}  // namespace

NODE_API_MODULE(tapswitch, Init)
