// FdWatcher: a descriptor watched from Node's event loop (uv_poll), for netlink and eventfds.
//
// Not for: the packet path, which waits in PacketIo::wait.
#include <napi.h>
#include <node_api.h>
#include <uv.h>

#include "addon.h"
#include "args.h"
#include "system_error.h"

namespace tapswitch {
namespace {

// Lives until uv has closed its handle. Closed by close(), or by the end of its thread, which
// waits for it (an asynchronous clean-up hook).
class FdWatcher {
 public:
  FdWatcher(Napi::Env env, Napi::Function callback)
      : env_(env), callback_(Napi::Persistent(callback)), context_(env, "FdWatcher") {}

  // Returns 0, or a negative error of uv, with the watcher deleted.
  static int Start(Napi::Env env, int fd, Napi::Function callback, FdWatcher** result) {
    uv_loop_t* loop;
    napi_get_uv_event_loop(env, &loop);
    auto* watcher = new FdWatcher(env, callback);
    int error = uv_poll_init(loop, &watcher->poll_, fd);
    if (error != 0) {
      delete watcher;
      return error;
    }
    watcher->poll_.data = watcher;
    napi_add_async_cleanup_hook(env, OnCleanup, watcher, &watcher->hook_);
    error = uv_poll_start(&watcher->poll_, UV_READABLE, OnReadable);
    if (error != 0) watcher->Close();
    *result = watcher;
    return error;
  }

  // Idempotent. The watcher deletes itself once uv has let go of the handle.
  void Close() {
    if (closing_) return;
    closing_ = true;
    callback_.Reset();
    uv_poll_stop(&poll_);
    uv_close(reinterpret_cast<uv_handle_t*>(&poll_), OnClosed);
  }

  // The JavaScript object lets go: nobody can call close() any more.
  void Orphan() {
    owner_gone_ = true;
    DeleteWhenDone();
  }

 private:
  static void OnReadable(uv_poll_t* poll, int, int) {
    auto* watcher = static_cast<FdWatcher*>(poll->data);
    Napi::HandleScope scope(watcher->env_);
    try {
      watcher->callback_.MakeCallback(watcher->env_.Global(), {}, watcher->context_);
    } catch (const Napi::Error& error) {
      // What a listener throws ends as an uncaught exception, like anywhere in Node.
      napi_fatal_exception(watcher->env_, error.Value());
    }
  }

  static void OnCleanup(napi_async_cleanup_hook_handle, void* data) {
    static_cast<FdWatcher*>(data)->Close();
  }

  static void OnClosed(uv_handle_t* handle) {
    auto* watcher = static_cast<FdWatcher*>(handle->data);
    watcher->closed_ = true;
    napi_remove_async_cleanup_hook(watcher->hook_);
    watcher->DeleteWhenDone();
  }

  void DeleteWhenDone() {
    if (closed_ && owner_gone_) delete this;
  }

  Napi::Env env_;
  Napi::FunctionReference callback_;
  Napi::AsyncContext context_;
  uv_poll_t poll_ = {};
  napi_async_cleanup_hook_handle hook_ = nullptr;
  bool closing_ = false;
  bool closed_ = false;
  bool owner_gone_ = false;
};

Napi::Value WatchFd(const Napi::CallbackInfo& info) {
  Napi::Env env = info.Env();
  int fd = Int32Arg(info, 0, "fd");
  if (!info[1].IsFunction()) throw Napi::TypeError::New(env, "onReadable must be a function");
  FdWatcher* watcher = nullptr;
  int error = FdWatcher::Start(env, fd, info[1].As<Napi::Function>(), &watcher);
  if (error != 0) {
    if (watcher != nullptr) watcher->Orphan();
    throw SystemError(env, -error, "uv_poll_start");
  }
  // The function, not the object, owns the watcher: it is what can outlive the rest. Dropped
  // without a call, it keeps watching: the callback is what matters.
  Napi::Function close = Napi::Function::New(
      env, [watcher](const Napi::CallbackInfo&) { watcher->Close(); }, "close");
  close.AddFinalizer([](Napi::Env, FdWatcher* data) { data->Orphan(); }, watcher);
  Napi::Object result = Napi::Object::New(env);
  result.Set("close", close);
  return result;
}

}  // namespace

void InitWatcher(Napi::Env env, Napi::Object exports) {
  exports.Set("watchFd", Napi::Function::New(env, WatchFd, "watchFd"));
}

}  // namespace tapswitch
