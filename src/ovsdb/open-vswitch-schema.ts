/**
 * The Open_vSwitch database, version 8.8.0: every table and column that the clients of Open vSwitch
 * 3.1 know, with types, limits and references. ovs-vswitchd.conf.db(5) says what each one means.
 *
 *     Open_vSwitch -> Bridge -> Port -> Interface
 *          |             +----> Mirror, NetFlow, sFlow, IPFIX, Controller, Flow_Table, AutoAttach
 *          |                      Port -> QoS -> Queue
 *          +--> Manager, SSL, Datapath -> CT_Zone -> CT_Timeout_Policy
 *
 * Rows live as long as something above refers to them, except in tables that are roots.
 *
 * Not for: which columns the switch acts on (src/vswitchd).
 */
import {
  boolean,
  declareSchema,
  ephemeral,
  immutable,
  integer,
  map,
  oneOf,
  optional,
  type RowOf,
  range,
  ref,
  set,
  string,
  table,
  weakRef,
} from './declare.js';
import type { DatabaseSchema } from './schema.js';

const vlan = range(0, 4095);
const vlans = set(vlan, { max: 4096 });
const uint32 = range(0, 2 ** 32 - 1);
/** Maps of names to texts, and of names to numbers. */
const strings = map(string, string);
const counters = map(string, integer);

/** What a connection tracking timeout can be set for. */
const timeoutName = oneOf(
  'tcp_syn_sent',
  'tcp_syn_recv',
  'tcp_established',
  'tcp_fin_wait',
  'tcp_close_wait',
  'tcp_last_ack',
  'tcp_time_wait',
  'tcp_close',
  'tcp_syn_sent2',
  'tcp_retransmit',
  'tcp_unack',
  'udp_first',
  'udp_single',
  'udp_multiple',
  'icmp_first',
  'icmp_reply',
);

export const openVSwitchTables = {
  Open_vSwitch: table(
    {
      datapaths: map(string, ref('Datapath')),
      bridges: set(ref('Bridge')),
      manager_options: set(ref('Manager')),
      ssl: optional(ref('SSL')),
      other_config: strings,
      external_ids: strings,
      next_cfg: integer,
      cur_cfg: integer,
      statistics: ephemeral(strings),
      ovs_version: optional(string),
      db_version: optional(string),
      system_type: optional(string),
      system_version: optional(string),
      datapath_types: set(string),
      iface_types: set(string),
      dpdk_initialized: boolean,
      dpdk_version: optional(string),
    },
    { isRoot: true, maxRows: 1 },
  ),
  Bridge: table(
    {
      name: immutable(string),
      datapath_type: string,
      datapath_version: string,
      datapath_id: ephemeral(optional(string)),
      stp_enable: boolean,
      rstp_enable: boolean,
      mcast_snooping_enable: boolean,
      ports: set(ref('Port')),
      mirrors: set(ref('Mirror')),
      netflow: optional(ref('NetFlow')),
      sflow: optional(ref('sFlow')),
      ipfix: optional(ref('IPFIX')),
      controller: set(ref('Controller')),
      protocols: set(
        oneOf('OpenFlow10', 'OpenFlow11', 'OpenFlow12', 'OpenFlow13', 'OpenFlow14', 'OpenFlow15'),
      ),
      fail_mode: optional(oneOf('standalone', 'secure')),
      status: ephemeral(strings),
      rstp_status: ephemeral(strings),
      other_config: strings,
      external_ids: strings,
      flood_vlans: vlans,
      flow_tables: map(range(0, 254), ref('Flow_Table')),
      auto_attach: optional(ref('AutoAttach')),
    },
    { indexes: [['name']] },
  ),
  Port: table(
    {
      name: immutable(string),
      interfaces: set(ref('Interface'), { min: 1 }),
      trunks: vlans,
      cvlans: vlans,
      tag: optional(vlan),
      vlan_mode: optional(
        oneOf('trunk', 'access', 'native-tagged', 'native-untagged', 'dot1q-tunnel'),
      ),
      qos: optional(ref('QoS')),
      mac: optional(string),
      bond_mode: optional(oneOf('balance-tcp', 'balance-slb', 'active-backup')),
      lacp: optional(oneOf('active', 'passive', 'off')),
      bond_updelay: integer,
      bond_downdelay: integer,
      bond_active_slave: optional(string),
      bond_fake_iface: boolean,
      fake_bridge: boolean,
      status: ephemeral(strings),
      rstp_status: ephemeral(strings),
      rstp_statistics: ephemeral(counters),
      statistics: ephemeral(counters),
      protected: boolean,
      other_config: strings,
      external_ids: strings,
    },
    { indexes: [['name']] },
  ),
  Interface: table(
    {
      name: immutable(string),
      type: string,
      options: strings,
      ingress_policing_rate: range(0),
      ingress_policing_burst: range(0),
      ingress_policing_kpkts_rate: range(0),
      ingress_policing_kpkts_burst: range(0),
      mac_in_use: ephemeral(optional(string)),
      mac: optional(string),
      ifindex: ephemeral(optional(uint32)),
      external_ids: strings,
      ofport: optional(integer),
      ofport_request: optional(range(1, 65279)),
      bfd: strings,
      bfd_status: ephemeral(strings),
      cfm_mpid: optional(integer),
      cfm_remote_mpids: ephemeral(set(integer)),
      cfm_flap_count: optional(integer),
      cfm_fault: ephemeral(optional(boolean)),
      cfm_fault_status: ephemeral(set(string)),
      cfm_remote_opstate: ephemeral(optional(oneOf('up', 'down'))),
      cfm_health: ephemeral(optional(range(0, 100))),
      lacp_current: ephemeral(optional(boolean)),
      lldp: strings,
      other_config: strings,
      statistics: ephemeral(counters),
      status: ephemeral(strings),
      admin_state: ephemeral(optional(oneOf('up', 'down'))),
      link_state: ephemeral(optional(oneOf('up', 'down'))),
      link_resets: ephemeral(optional(integer)),
      link_speed: ephemeral(optional(integer)),
      duplex: ephemeral(optional(oneOf('half', 'full'))),
      mtu: ephemeral(optional(integer)),
      mtu_request: optional(range(1)),
      error: optional(string),
    },
    { indexes: [['name']] },
  ),
  Flow_Table: table({
    name: optional(string),
    flow_limit: optional(range(0)),
    overflow_policy: optional(oneOf('refuse', 'evict')),
    groups: set(string),
    prefixes: set(string, { max: 4 }),
    external_ids: strings,
  }),
  QoS: table(
    {
      type: string,
      queues: map(uint32, ref('Queue')),
      other_config: strings,
      external_ids: strings,
    },
    { isRoot: true },
  ),
  Queue: table(
    {
      dscp: optional(range(0, 63)),
      other_config: strings,
      external_ids: strings,
    },
    { isRoot: true },
  ),
  Mirror: table({
    name: string,
    select_all: boolean,
    select_src_port: set(weakRef('Port')),
    select_dst_port: set(weakRef('Port')),
    select_vlan: vlans,
    output_port: optional(weakRef('Port')),
    output_vlan: optional(range(1, 4095)),
    snaplen: optional(range(14, 65535)),
    filter: optional(string),
    statistics: ephemeral(counters),
    external_ids: strings,
  }),
  NetFlow: table({
    targets: set(string, { min: 1 }),
    engine_type: optional(range(0, 255)),
    engine_id: optional(range(0, 255)),
    add_id_to_interface: boolean,
    active_timeout: range(-1),
    external_ids: strings,
  }),
  sFlow: table({
    targets: set(string, { min: 1 }),
    sampling: optional(integer),
    polling: optional(integer),
    header: optional(integer),
    agent: optional(string),
    external_ids: strings,
  }),
  IPFIX: table({
    targets: set(string),
    sampling: optional(range(1, 2 ** 32 - 1)),
    obs_domain_id: optional(uint32),
    obs_point_id: optional(uint32),
    cache_active_timeout: optional(range(0, 4200)),
    cache_max_flows: optional(uint32),
    stats_interval: optional(range(1, 3600)),
    template_interval: optional(range(1, 3600)),
    other_config: strings,
    external_ids: strings,
  }),
  Flow_Sample_Collector_Set: table(
    {
      id: uint32,
      bridge: ref('Bridge'),
      ipfix: optional(ref('IPFIX')),
      local_group_id: optional(uint32),
      external_ids: strings,
    },
    { isRoot: true, indexes: [['id', 'bridge']] },
  ),
  Controller: table({
    type: optional(oneOf('primary', 'service')),
    target: string,
    max_backoff: optional(range(1000)),
    inactivity_probe: optional(integer),
    connection_mode: optional(oneOf('in-band', 'out-of-band')),
    local_ip: optional(string),
    local_netmask: optional(string),
    local_gateway: optional(string),
    enable_async_messages: optional(boolean),
    controller_queue_size: optional(range(1, 512)),
    controller_rate_limit: optional(range(100)),
    controller_burst_limit: optional(range(25)),
    other_config: strings,
    external_ids: strings,
    is_connected: ephemeral(boolean),
    role: ephemeral(optional(oneOf('other', 'master', 'slave'))),
    status: ephemeral(strings),
  }),
  Manager: table(
    {
      target: string,
      max_backoff: optional(range(1000)),
      inactivity_probe: optional(integer),
      connection_mode: optional(oneOf('in-band', 'out-of-band')),
      other_config: strings,
      external_ids: strings,
      is_connected: ephemeral(boolean),
      status: ephemeral(strings),
    },
    { indexes: [['target']] },
  ),
  Datapath: table({
    datapath_version: string,
    ct_zones: map(range(0, 65535), ref('CT_Zone')),
    ct_zone_default_limit: optional(uint32),
    capabilities: strings,
    external_ids: strings,
  }),
  CT_Zone: table({
    timeout_policy: optional(ref('CT_Timeout_Policy')),
    limit: optional(uint32),
    external_ids: strings,
  }),
  CT_Timeout_Policy: table({
    timeouts: map(timeoutName, uint32),
    external_ids: strings,
  }),
  SSL: table(
    {
      private_key: string,
      certificate: string,
      ca_cert: string,
      bootstrap_ca_cert: boolean,
      external_ids: strings,
    },
    { maxRows: 1 },
  ),
  AutoAttach: table({
    system_name: string,
    system_description: string,
    mappings: map(range(0, 16777215), vlan),
  }),
};

export type OpenVSwitchTables = typeof openVSwitchTables;
/** A row of a table of the Open_vSwitch database: `OpenVSwitchRow<'Port'>`. */
export type OpenVSwitchRow<T extends keyof OpenVSwitchTables> = RowOf<OpenVSwitchTables[T]>;

/** The checksum is the one that clients of this version show and compare. */
export function openVSwitchSchema(): DatabaseSchema {
  const id = { name: 'Open_vSwitch', version: '8.8.0', cksum: '2823623553 27869' };
  return declareSchema(id, openVSwitchTables);
}
