/** Numbers of the kernel that programs are made of: linux/bpf.h, linux/pkt_cls.h. */

/** enum bpf_func_id. */
export const GET_SMP_PROCESSOR_ID = 8;
export const SKB_STORE_BYTES = 9;
export const CLONE_REDIRECT = 13;
export const SKB_VLAN_PUSH = 18;
export const SKB_VLAN_POP = 19;
export const REDIRECT = 23;
export const SKB_LOAD_BYTES = 26;
export const SKB_CHANGE_TYPE = 32;
export const REDIRECT_PEER = 155;
export const KTIME_GET_COARSE_NS = 160;
/** What a frame is to the host that receives it. */
export const PACKET_HOST = 0;
/** Flag of redirects: into the stack, in place of out of the interface. */
export const F_INGRESS = 1;

/** Offsets in struct __sk_buff. */
export const SKB_LEN = 0;
export const SKB_MARK = 8;
export const SKB_VLAN_PRESENT = 20;
export const SKB_VLAN_TCI = 24;
export const SKB_VLAN_PROTO = 28;
export const SKB_PRIORITY = 32;
export const SKB_IFINDEX = 40;
export const SKB_GSO_SIZE = 176;

/** What tc programs return. */
export const TC_UNSPEC = -1;
export const TC_SHOT = 2;
