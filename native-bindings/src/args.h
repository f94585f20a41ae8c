// Reading arguments of calls that are not on the packet path, with TypeErrors that name them.
#pragma once

#include <napi.h>

#include <cstdint>
#include <string>

namespace tapswitch {

inline int32_t Int32Arg(const Napi::CallbackInfo& info, size_t index, const char* name) {
  if (!info[index].IsNumber()) {
    throw Napi::TypeError::New(info.Env(), std::string(name) + " must be a number");
  }
  return info[index].As<Napi::Number>().Int32Value();
}

// A byte count or offset: whole, and from 0 to 2^53.
inline uint64_t SizeArg(const Napi::CallbackInfo& info, size_t index, const char* name) {
  double value = info[index].IsNumber() ? info[index].As<Napi::Number>().DoubleValue() : -1;
  if (!(value >= 0 && value <= 9007199254740992.0) || value != static_cast<uint64_t>(value)) {
    throw Napi::TypeError::New(info.Env(), std::string(name) + " must be a whole number >= 0");
  }
  return static_cast<uint64_t>(value);
}

inline std::string StringArg(const Napi::CallbackInfo& info, size_t index, const char* name) {
  if (!info[index].IsString()) {
    throw Napi::TypeError::New(info.Env(), std::string(name) + " must be a string");
  }
  return info[index].As<Napi::String>().Utf8Value();
}

inline Napi::Object ObjectArg(const Napi::CallbackInfo& info, size_t index, const char* name) {
  if (!info[index].IsObject()) {
    throw Napi::TypeError::New(info.Env(), std::string(name) + " must be an object");
  }
  return info[index].As<Napi::Object>();
}

// A whole number property in [min, max] of an options object.
inline int32_t IntProperty(Napi::Object options, const char* name, int32_t min, int32_t max) {
  Napi::Value value = options.Get(name);
  double number = value.IsNumber() ? value.As<Napi::Number>().DoubleValue() : -1e18;
  if (!(number >= min && number <= max)) {
    throw Napi::TypeError::New(options.Env(), std::string(name) + " must be a number from " +
                                                  std::to_string(min) + " to " +
                                                  std::to_string(max));
  }
  return static_cast<int32_t>(number);
}

inline std::string StringProperty(Napi::Object options, const char* name) {
  Napi::Value value = options.Get(name);
  if (!value.IsString()) {
    throw Napi::TypeError::New(options.Env(), std::string(name) + " must be a string");
  }
  return value.As<Napi::String>().Utf8Value();
}

}  // namespace tapswitch
