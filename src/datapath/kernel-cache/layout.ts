/**
 * The memory that the kernel's programs and the main thread share: one BPF array element.
 *
 *     decisions   256 CPUs x 64 bytes: entry number + 1 that the filter chose for the frame at
 *                 hand, the frame's TCP flags; receive queue + 1 when it chose the worker
 *     order       4096 x 2 lines, by interface index: what is on its way to workers (way-over.ts)
 *                 | frames passed on | - | frames in the ring, by receive queue | ...
 *                 | of these, done with, by receive queue | ...
 *     classes     3 x | masks in use, 64 bytes | 16 masks x 16 words |
 *     ports       1024 x 8 doublewords: rx packets, rx bytes, tx packets, tx bytes; packets and
 *                 bytes that were passed to a host beside the interface; - ; -
 *     drops       64 doublewords: packets by drop reason
 *     flows       262,144 x 4 doublewords: packets, bytes, time of the last packet (ns), TCP flags
 *     entries     32,768 x 64 words
 *
 * Workers map no more than they need, up to `order`: 0.5 MiB of 16.6.
 *
 *     entry       | tag | flow slot | in port (bit 31: keep TCP flags) | longest frame
 *                 | key, 16 words | MAC addresses, 3 words | state
 *                 | steps, 16 x (operation, argument)
 *     state       bits 0..1: ENTRY_*; above: frames that went to a worker all the same
 *
 * The key of a frame (programs.ts builds it, kernel-key.ts computes the same from a megaflow):
 *
 *     word  0  interface index      1..3  MAC addresses         4  VLAN: TPID(16) TCI(16)
 *           5  EtherType            6  protocol(8) TOS(8) TTL(8), lowest byte first
 *     IPv4  7  source   8  destination   9  ports
 *     IPv6  7..10 source   11..14 destination   15  ports
 *
 * Words that are taken from the frame as they stand there have the bytes of the wire in memory:
 * on a little-endian machine, swapped values. Only little-endian machines are served.
 *
 * A mask's word 0 holds its tag instead: a number that no other mask ever had. An entry is found by
 * the hash of tag and masked key, in one of four places, and belongs to the mask with its tag.
 */

export const CPUS_MAX = 256;
export const DECISION_SHIFT = 6;

export const KEY_WORDS = 16;
export const MASKS_MAX = 16;
/** Classes of frames, and the words of the key that each compares. */
export const CLASS_IPV4 = 0;
export const CLASS_IPV6 = 1;
export const CLASS_OTHER = 2;
export const CLASS_KEY_WORDS = [10, 16, 6] as const;
export const CLASS_HEAD_BYTES = 64;
export const MASK_BYTES = KEY_WORDS * 4;
export const CLASS_BYTES = CLASS_HEAD_BYTES + MASKS_MAX * MASK_BYTES;

export const PORTS_MAX = 1024;
export const PORT_SHIFT = 6;
export const DROP_REASONS_MAX = 64;
export const FLOWS_MAX = 1 << 18;
export const FLOW_SHIFT = 5;

export const ENTRIES = 1 << 15;
export const ENTRY_SHIFT = 8;
export const WAYS = 4;
export const ORDER_SLOTS = 4096;
export const ORDER_SHIFT = 7;

export const OFF_DECISIONS = 0;
export const OFF_ORDER = CPUS_MAX << DECISION_SHIFT;
/** What a worker needs of it. */
export const WORKER_BYTES = OFF_ORDER + (ORDER_SLOTS << ORDER_SHIFT);
export const OFF_CLASSES = WORKER_BYTES;
export const OFF_PORTS = (OFF_CLASSES + 3 * CLASS_BYTES + 4095) & -4096;
export const OFF_DROPS = OFF_PORTS + (PORTS_MAX << PORT_SHIFT);
export const OFF_FLOWS = OFF_DROPS + 4096;
export const OFF_ENTRIES = OFF_FLOWS + (FLOWS_MAX << FLOW_SHIFT);
export const TABLE_BYTES = OFF_ENTRIES + (ENTRIES << ENTRY_SHIFT);

/** Byte offsets in an interface's part of `order`: all words of 32 bits, modulo 2^32. */
export const O_PASSED = 0;
export const O_LANDED = 8;
export const O_DONE = 64;
/** Receive queues that are told apart; ports with more are left to workers. */
export const RX_QUEUES_MAX = 8;

/** Byte offsets in an entry. */
export const E_TAG = 0;
export const E_SLOT = 4;
export const E_IN_PORT = 8;
/** Bytes without the outer tag; longer frames are a worker's, unless a device cuts them. */
export const E_LENGTH_MAX = 12;
export const E_KEY = 16;
export const E_DL_DST = 80;
export const E_DL_SRC = 86;
export const E_STATE = 92;
export const E_STEPS = 96;
export const STEPS_MAX = 16;

/** The kernel forwards. */
export const ENTRY_ACTIVE = 0;
/** Workers forward: frames that passed before the entry was there may not be in a ring yet. */
export const ENTRY_HELD = 1;
/** Workers forward until nothing of the port waits for one. */
export const ENTRY_AWAITS = 2;
/** The same, and what a worker would get is dropped. */
export const ENTRY_SHEDS = 3;
export const ENTRY_STATES = 3;
/** What a frame that goes to a worker adds to the state. */
export const ENTRY_FRAME = 4;

/** In a flow's counters: the flags of all its TCP packets. */
export const F_TCP_FLAGS = 24;

/** Operations of a step: bits 0..7; bits 8.. hold a port number where one is counted for. */
export const STEP_END = 0;
/** Argument: interface index. The copy goes out of it; the last output needs no copy. */
export const STEP_OUTPUT = 1;
export const STEP_OUTPUT_LAST = 2;
/** The same, to the host's side of a TAP. */
export const STEP_DELIVER = 3;
export const STEP_DELIVER_LAST = 4;
/** The same, to the host at the other end of a veth, beside the interface; the last output. */
export const STEP_PASS_LAST = 5;
/** Argument: TPID(16) TCI(16). */
export const STEP_PUSH_VLAN = 6;
export const STEP_POP_VLAN = 7;
/** From the entry's MAC addresses. */
export const STEP_SET_DL_DST = 8;
export const STEP_SET_DL_SRC = 9;
/** Argument: drop reason. */
export const STEP_DROP = 10;

/** Multiplier of the hash over tag and key: h = (h ^ word) * M; h ^= h >>> 15. */
export const HASH_MULTIPLIER = 0x9e3779b1 | 0;
