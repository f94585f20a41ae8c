#include "system_error.h"

#include <uv.h>

#include <string>

namespace tapswitch {

Napi::Error SystemError(Napi::Env env, int error, const char* syscall) {
  char name[32];
  char text[128];
  uv_err_name_r(-error, name, sizeof name);
  uv_strerror_r(-error, text, sizeof text);
  Napi::Error result =
      Napi::Error::New(env, std::string(name) + ": " + std::string(text) + ", " + syscall);
  result.Set("code", Napi::String::New(env, name));
  result.Set("errno", Napi::Number::New(env, -error));
  result.Set("syscall", Napi::String::New(env, syscall));
  return result;
}

}  // namespace tapswitch
