/**
 * OpenFlow actions and instructions in one version-independent form.
 *
 * The codec (codec/actions*.ts) reads and writes them for each protocol version, the flow syntax
 * (syntax/) prints and parses them, the OpenFlow layer (src/ofproto) executes them. Field values
 * are byte arrays in network order, as wide as the field (see src/packet/fields.ts).
 */
import type { Match } from './match.js';

/** Reserved OpenFlow port numbers in 32-bit form; 1.0's 16-bit ones are mapped to these. */
export const OFPP = {
  MAX: 0xffffff00,
  UNSET: 0xfffffff7,
  IN_PORT: 0xfffffff8,
  TABLE: 0xfffffff9,
  NORMAL: 0xfffffffa,
  FLOOD: 0xfffffffb,
  ALL: 0xfffffffc,
  CONTROLLER: 0xfffffffd,
  LOCAL: 0xfffffffe,
  /** 'any' in matches and requests; 'none' as 1.0 calls it. */
  NONE: 0xffffffff,
} as const;

/** A field, or a run of its bits: `field[ofs..ofs+nBits-1]`, bit 0 being the lowest. */
export interface SubField {
  field: string;
  ofs: number;
  nBits: number;
}

export type OfAction =
  | { type: 'output'; port: number; maxLen: number }
  | { type: 'output_trunc'; port: number; maxLen: number }
  | { type: 'output_reg'; src: SubField; maxLen: number }
  | { type: 'enqueue'; port: number; queue: number }
  | { type: 'set_queue'; queue: number }
  | { type: 'pop_queue' }
  | {
      type: 'controller';
      maxLen: number;
      controllerId: number;
      reason: number;
      userdata?: Uint8Array;
      pause?: boolean;
      meterId?: number;
    }
  | { type: 'group'; group: number }
  | { type: 'meter'; meter: number }
  | { type: 'bundle'; load: boolean; bundle: BundleSpec }
  /**
   * set_field, load and the old set_* actions: value under mask. `legacy` keeps how it is printed.
   */
  | {
      type: 'set_field';
      field: string;
      value: Uint8Array;
      mask: Uint8Array;
      /** 'set': set_vlan_vid and set_vlan_pcp, which unlike mod_vlan_* add no tag. */
      form: 'set_field' | 'load' | 'mod' | 'set';
      /** For 'load': which bits. */
      sub?: SubField;
    }
  /** `onf`: said by ONF's extension of OpenFlow 1.3. */
  | { type: 'move'; src: SubField; dst: SubField; onf?: true }
  | { type: 'stack_push' | 'stack_pop'; sub: SubField }
  | { type: 'push_vlan'; ethType: number }
  | { type: 'strip_vlan'; form: 'strip' | 'pop' }
  | { type: 'push_mpls'; ethType: number }
  | { type: 'pop_mpls'; ethType: number }
  | { type: 'dec_ttl'; controllerIds: number[] }
  | { type: 'dec_mpls_ttl' }
  | { type: 'set_mpls_ttl'; ttl: number }
  | { type: 'resubmit'; inPort?: number; table?: number; ct?: boolean }
  | { type: 'learn'; learn: LearnSpec }
  | { type: 'conjunction'; id: number; clause: number; nClauses: number }
  | { type: 'multipath'; multipath: MultipathSpec }
  | { type: 'note'; data: Uint8Array }
  | { type: 'exit' }
  /** For tests: take the packet out of the datapath's hands, or through it once more. */
  | { type: 'debug_slow' }
  | { type: 'debug_recirc' }
  | { type: 'clone'; actions: OfAction[] }
  | { type: 'sample'; sample: SampleSpec }
  | { type: 'fin_timeout'; idle: number; hard: number }
  | { type: 'set_tunnel'; id: bigint; form: 'set_tunnel' | 'set_tunnel64' }
  | { type: 'check_pkt_larger'; size: number; dst: SubField }
  | {
      type: 'ct';
      /** commit 1, force 2. */
      flags: number;
      zone: number | SubField;
      table?: number;
      /** Helper's well-known port (ftp 21, tftp 69); 0 or absent: none. */
      alg?: number;
      /** A leading 'nat' is the nat argument; the rest is exec(...). */
      actions: OfAction[];
    }
  | { type: 'nat'; nat: NatSpec }
  | { type: 'delete_field'; field: string }
  /** Packet types: namespace(16) type(16). */
  | { type: 'encap'; packetType: number; headerSize: number; properties: EncapProperty[] }
  | { type: 'decap'; packetType: number }
  | { type: 'dec_nsh_ttl' }
  | { type: 'ct_clear' }
  /** Instructions, in the order in which OpenFlow executes them. */
  | { type: 'clear_actions' }
  | { type: 'write_actions'; actions: OfAction[] }
  | { type: 'write_metadata'; metadata: bigint; mask: bigint }
  | { type: 'goto_table'; table: number };

/** What a header of NSH is to have. */
export type EncapProperty =
  | { type: 'md_type'; mdType: number }
  | { type: 'tlv'; tlvClass: number; tlvType: number; value: Uint8Array };

export interface BundleSpec {
  fields: string;
  basis: number;
  algorithm: 'active_backup' | 'hrw';
  members: number[];
  dst?: SubField;
}

export interface MultipathSpec {
  fields: string;
  basis: number;
  algorithm: 'modulo_n' | 'hash_threshold' | 'hrw' | 'iter_hash';
  maxLink: number;
  arg: number;
  dst: SubField;
}

export interface SampleSpec {
  probability: number;
  collectorSetId: number;
  obsDomainId: number;
  obsPointId: number;
  samplingPort: number;
  direction: 'default' | 'ingress' | 'egress';
}

export interface NatSpec {
  /** src 1, dst 2, persistent 4, hash 8, random 16. */
  flags: number;
  /** Address range, 4 or 16 bytes each; absent: none. */
  addrMin?: Uint8Array;
  addrMax?: Uint8Array;
  portMin: number;
  portMax: number;
}

export interface LearnSpec {
  idleTimeout: number;
  hardTimeout: number;
  priority: number;
  cookie: bigint;
  table: number;
  finIdle: number;
  finHard: number;
  limit: number;
  /** Said in the newer form, which also has a limit, although it has none. */
  second?: true;
  resultDst?: SubField;
  sendFlowRem: boolean;
  deleteLearned: boolean;
  writeResult: boolean;
  specs: LearnFlowSpec[];
}

export interface LearnFlowSpec {
  nBits: number;
  src: SubField | { immediate: Uint8Array };
  dst: { type: 'match' | 'load'; sub: SubField } | { type: 'output' };
}

/** Re-exported so that users of actions need not know where a match lives. */
export type { Match };
