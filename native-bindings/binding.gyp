{
  "targets": [
    {
      "target_name": "tapswitch",
      "sources": [
        "src/addon.cc",
        "src/arena.cc",
        "src/bpf.cc",
        "src/bpf_objects.cc",
        "src/ethtool.cc",
        "src/netlink.cc",
        "src/packet_io.cc",
        "src/packet_ring.cc",
        "src/packet_socket.cc",
        "src/process.cc",
        "src/stream.cc",
        "src/system_error.cc",
        "src/tap.cc",
        "src/tx_queue.cc",
        "src/watcher.cc",
        "src/xsk.cc"
      ],
      "include_dirs": ["<!(node -p \"require('node-addon-api').include_dir\")"],
      "defines": ["NAPI_VERSION=8", "NAPI_CPP_EXCEPTIONS", "NODE_API_SWALLOW_UNTHROWABLE_EXCEPTIONS", "_GNU_SOURCE"],
      "cflags!": ["-fno-exceptions"],
      "cflags_cc!": ["-fno-exceptions"],
      "cflags_cc": ["-std=c++17", "-O2", "-Wall", "-Wextra", "-Wno-cast-function-type"],
      "conditions": [["OS!='linux'", {"defines": ["TAPSWITCH_NEEDS_LINUX"]}]]
    }
  ]
}
