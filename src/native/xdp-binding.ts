/**
 * The addon's calls for AF_XDP (native-bindings/src/xsk.cc): parts of NativeBinding and PacketIo.
 *
 *     memory of a socket   | frames to receive into ... | frames to send from ... |
 *
 * The worker that receives maps it into its arena, as it does a packet socket's ring. A received
 * frame has 256 free bytes before it, a zeroed virtio header right before it among them.
 */

export interface XskOpenOptions {
  ifindex: number;
  /** Queue of the device; its frames come here by way of `map`. */
  queue: number;
  /** Descriptor that xdpAttach() returned. */
  map: number;
  /** Powers of two; 2 KiB of memory for each. */
  rxFrames: number;
  txFrames: number;
  /** XDP_ZEROCOPY; else XDP_COPY. */
  zeroCopy: boolean;
  /** XDP_USE_NEED_WAKEUP: the kernel says when it wants to be called. */
  needWakeup: boolean;
}

export interface XskSocket {
  fd: number;
  /** What ringMap() maps: `bytes` of it. */
  memoryFd: number;
  bytes: number;
}

export interface XskStatistics {
  rxDropped: number;
  rxInvalidDescs: number;
  txInvalidDescs: number;
  fillRingEmpty: number;
}

export interface XdpBinding {
  /** Brings a device's frames to the sockets of a map, and drops those of queues that have none.
   * @param generic XDP_FLAGS_SKB_MODE; else the driver does it (XDP_FLAGS_DRV_MODE)
   * @returns descriptors: the program stays as long as that of the link does */
  xdpAttach(ifindex: number, queues: number, generic: boolean): { link: number; map: number };
  /** An AF_XDP socket with its memory and rings, bound; the device is promiscuous meanwhile. */
  xskOpen(options: XskOpenOptions): XskSocket;
  /** Closes it, once no thread is in a call of it. */
  xskClose(fd: number): void;
  /** XDP_STATISTICS: since it was opened. */
  xskStatistics(fd: number): XskStatistics;
}

/** AF_XDP on the packet path; sockets are named by their descriptors. */
export interface XskIo {
  /** Takes up to `budget` frames: arena offsets (`base` is the memory's) and lengths go to the
   * vectors from `start` on. How many, or -errno. One thread receives from a socket. */
  xskReceive(fd: number, base: number, budget: number, start: number): number;
  /** Gives all that was received back to the kernel. */
  xskRelease(fd: number): number;
  /** Sends frames of the vectors, and completes checksums that their virtio headers call
   * unfinished: how many were taken, or -errno: ENOBUFS when the socket is full. */
  xskSend(fd: number, start: number, count: number): number;
}
