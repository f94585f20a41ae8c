/**
 * What each column of the Open_vSwitch database means, and what the switch does with it:
 *
 *     acts    the switch follows it            tells   the switch writes it
 *     keeps   without effect on the switch     theirs  belongs to clients by its nature
 *
 * docs/reference-database.md is made from this (scripts/gen-database-docs.mjs). That every column
 * has its words is checked by the compiler.
 *
 * Not for: types and constraints (open-vswitch-schema.ts).
 */
import type { OpenVSwitchTables } from './open-vswitch-schema.js';

export type ColumnUse = 'acts' | 'tells' | 'keeps' | 'theirs';

export interface ColumnDoc {
  readonly use: ColumnUse;
  readonly text: string;
}

export interface TableDoc<T extends keyof OpenVSwitchTables> {
  readonly text: string;
  readonly columns: { readonly [C in keyof OpenVSwitchTables[T]['columns']]: ColumnDoc };
}

const acts = (text: string): ColumnDoc => ({ use: 'acts', text });
const tells = (text: string): ColumnDoc => ({ use: 'tells', text });
const keeps = (text: string): ColumnDoc => ({ use: 'keeps', text });

const externalIds: ColumnDoc = {
  use: 'theirs',
  text: 'Names and values that belong to whoever manages the switch.',
};
const noOtherConfig = keeps('Further settings; none is known here.');
const samplingRate = acts('One packet in so many is sampled; 400.');

const settings: Pick<
  { [T in keyof OpenVSwitchTables]: TableDoc<T> },
  'Open_vSwitch' | 'Bridge' | 'Port' | 'Interface'
> = {
  Open_vSwitch: {
    text: 'The switch as a whole. There is one row, and all others hang from it.',
    columns: {
      datapaths: keeps('Settings of datapaths, by type.'),
      bridges: acts('The bridges that are to be there.'),
      manager_options: acts('Where the database server listens, or whom it connects to.'),
      ssl: acts('Keys and certificates of controllers, and of the database server if told so.'),
      other_config: acts('Settings of the datapath, such as flow-limit and vlan-limit.'),
      external_ids: externalIds,
      next_cfg: acts('Counts changes that clients wait for: ovs-vsctl adds one to it.'),
      cur_cfg: tells('The next_cfg that the running state has reached.'),
      statistics: keeps('Load of the machine, where somebody measures it.'),
      ovs_version: tells('Version of the switch.'),
      db_version: tells('Version of the schema.'),
      system_type: tells('Kind of operating system; `tapswitch start` writes it when it begins.'),
      system_version: tells('Version of the operating system; as above.'),
      datapath_types: tells('Values that Bridge.datapath_type may have.'),
      iface_types: tells('Values that Interface.type may have.'),
      dpdk_initialized: tells('Always false: there is no DPDK.'),
      dpdk_version: keeps('Never set: there is no DPDK.'),
    },
  },
  Bridge: {
    text: 'A switch: ports between which frames are forwarded.',
    columns: {
      name: acts('Name of the bridge and of its local interface; unique.'),
      datapath_type: acts('netdev, dummy, or empty; system means netdev.'),
      datapath_version: tells('The datapath is part of the switch.'),
      datapath_id: tells('OpenFlow datapath id, 16 hexadecimal digits.'),
      stp_enable: keeps('Spanning tree (IEEE 802.1D).'),
      rstp_enable: keeps('Rapid spanning tree (IEEE 802.1w).'),
      mcast_snooping_enable: keeps('Multicast goes only where somebody asked for it.'),
      ports: acts('The ports of the bridge.'),
      mirrors: acts('Copies of traffic, for watching it.'),
      netflow: acts('Where NetFlow records go.'),
      sflow: acts('Where sFlow samples go.'),
      ipfix: acts('Where IPFIX records go.'),
      controller: acts('OpenFlow controllers; without any the bridge learns MAC addresses.'),
      protocols: acts('OpenFlow versions that may be spoken.'),
      fail_mode: acts('Without its controllers: standalone forwards as a switch, secure does not.'),
      status: keeps('State of the spanning tree.'),
      rstp_status: keeps('State of the rapid spanning tree.'),
      other_config: acts(
        'datapath-id, hwaddr, mac-aging-time, mac-table-size, forward-bpdu, dp-desc, ' +
          'disable-in-band, in-band-queue.',
      ),
      external_ids: externalIds,
      flood_vlans: acts('VLANs in which every frame goes to every port; nothing is learned.'),
      flow_tables: acts('Settings of OpenFlow tables, by number.'),
      auto_attach: keeps('VLANs for service identifiers (IEEE 802.1Qcj).'),
    },
  },
  Port: {
    text: 'A port of a bridge: one interface, or several that are bonded.',
    columns: {
      name: acts('Name of the port; unique. With one interface, that of the interface.'),
      interfaces: acts('One interface, or the members of a bond.'),
      trunks: acts('VLANs that a trunk carries; empty: all.'),
      cvlans: acts('Inner VLANs that a dot1q-tunnel port carries; empty: all.'),
      tag: acts('VLAN of an access port, or the native VLAN of a trunk.'),
      vlan_mode: acts('What tags frames have; by default access with a tag, else trunk.'),
      qos: acts('Shaping of what leaves by this port.'),
      mac: keeps('Address of a bond’s own device.'),
      bond_mode: acts('How a bond spreads traffic; by default active-backup.'),
      lacp: acts('Whether the link aggregation protocol is spoken: active, passive or off.'),
      bond_updelay: acts('Milliseconds that a member’s link must be up before it is used.'),
      bond_downdelay: acts('Milliseconds that a member’s link must be down before it is left.'),
      bond_active_slave: acts('MAC address of the member in use; kept over a restart.'),
      bond_fake_iface: keeps('A device with the name of the bond.'),
      fake_bridge: {
        use: 'theirs',
        text: 'To ovs-vsctl the port stands for a bridge on a VLAN of its parent.',
      },
      status: keeps('State of the spanning tree on this port.'),
      rstp_status: keeps('State of the rapid spanning tree on this port.'),
      rstp_statistics: keeps('Counters of the rapid spanning tree.'),
      statistics: keeps('Counters of the spanning tree.'),
      protected: acts('Protected ports do not reach each other.'),
      other_config: acts('bond-*, lacp-*, priority-tags and the like.'),
      external_ids: externalIds,
    },
  },
  Interface: {
    text: 'A network device that belongs to a port.',
    columns: {
      name: acts('Name of the device; unique.'),
      type: acts('system (or empty), internal, tap, patch, dummy.'),
      options: acts('Settings of the type, such as peer for patch, n_rxq for queues.'),
      ingress_policing_rate: acts('Limit on what comes in, kbit/s; 0: none.'),
      ingress_policing_burst: acts('Burst above that limit, kbit.'),
      ingress_policing_kpkts_rate: acts('Limit on what comes in, thousand packets/s; 0: none.'),
      ingress_policing_kpkts_burst: acts('Burst above that limit, thousand packets.'),
      mac_in_use: tells('MAC address that the device has.'),
      mac: acts('MAC address that an internal device is to have.'),
      ifindex: tells('The kernel’s number of the device.'),
      external_ids: externalIds,
      ofport: tells('OpenFlow port number; -1: the device could not be opened.'),
      ofport_request: acts('OpenFlow port number that is wanted.'),
      bfd: keeps('Bidirectional forwarding detection.'),
      bfd_status: keeps('State of BFD.'),
      cfm_mpid: keeps('Connectivity fault management: number of this end.'),
      cfm_remote_mpids: keeps('Ends that have been heard of.'),
      cfm_flap_count: keeps('How often a fault came or went.'),
      cfm_fault: keeps('Whether there is a fault.'),
      cfm_fault_status: keeps('Which faults there are.'),
      cfm_remote_opstate: keeps('State that the other end tells of.'),
      cfm_health: keeps('Share of messages that arrived, percent.'),
      lacp_current: tells('Whether the LACP partner has been heard of in time.'),
      lldp: keeps('Link layer discovery.'),
      other_config: acts('lacp-*, pmd-rxq-affinity, xps-cpus, tx-queue-*: settings of the device.'),
      statistics: tells('Counters of packets, bytes, errors and drops.'),
      status: tells('The driver, and what the type tells besides.'),
      admin_state: tells('Whether the device is set up.'),
      link_state: tells('Whether the device has a carrier.'),
      link_resets: tells('How often the carrier came or went.'),
      link_speed: tells('Speed of the link, bit/s.'),
      duplex: tells('half or full.'),
      mtu: tells('Longest packet that the device takes, bytes.'),
      mtu_request: acts('MTU that is wanted.'),
      error: tells('Why the device could not be opened or set up.'),
    },
  },
};

const attached: Omit<{ [T in keyof OpenVSwitchTables]: TableDoc<T> }, keyof typeof settings> = {
  Flow_Table: {
    text: 'Settings of an OpenFlow table.',
    columns: {
      name: acts('Name that ovs-ofctl shows.'),
      flow_limit: acts('Most flows that the table holds.'),
      overflow_policy: acts('What an additional flow meets with: refuse, or evict another.'),
      groups: acts('Fields that make groups for fair eviction.'),
      prefixes: acts('Fields whose prefixes are looked up in tries.'),
      external_ids: externalIds,
    },
  },
  QoS: {
    text: 'Shaping of what leaves by a port.',
    columns: {
      type: acts('linux-htb, linux-hfsc, linux-noop or egress-policer.'),
      queues: acts('Queues by number.'),
      other_config: acts(
        'max-rate, bit/s, by default the speed of the link; of egress-policer cir, byte/s, and ' +
          'cbs, bytes.',
      ),
      external_ids: externalIds,
    },
  },
  Queue: {
    text: 'A queue of a QoS row.',
    columns: {
      dscp: acts('DSCP that packets of the queue are marked with, 0 to 63.'),
      other_config: acts(
        'min-rate and max-rate, bit/s; burst, bits (linux-htb); priority, the smaller the ' +
          'earlier (linux-htb).',
      ),
      external_ids: externalIds,
    },
  },
  Mirror: {
    text: 'Copies of traffic, for watching it.',
    columns: {
      name: acts('Name of the mirror.'),
      select_all: acts('Every packet is copied.'),
      select_src_port: acts('Packets that come in by these ports are copied.'),
      select_dst_port: acts('Packets that leave by these ports are copied.'),
      select_vlan: acts('Only packets of these VLANs are copied; empty: of all.'),
      output_port: acts('Port that the copies leave by.'),
      output_vlan: acts('VLAN that the copies leave in.'),
      snaplen: acts('Bytes of each packet that are copied.'),
      filter: acts('Only packets of this flow are copied, as in `tcp,tp_dst=80`; without ports.'),
      statistics: tells('How many packets and bytes were copied.'),
      external_ids: externalIds,
    },
  },
  NetFlow: {
    text: 'Where NetFlow records go.',
    columns: {
      targets: acts('Collectors, as ADDRESS:PORT.'),
      engine_type: acts('Engine type in the records.'),
      engine_id: acts('Engine id in the records.'),
      add_id_to_interface: acts('Whether port numbers hold the engine id too.'),
      active_timeout: acts('Seconds between records of a flow that lasts; 0: 600, -1: none.'),
      external_ids: externalIds,
    },
  },
  sFlow: {
    text: 'Where sFlow samples go.',
    columns: {
      targets: acts('Collectors, as ADDRESS[:PORT]; the port is 6343.'),
      sampling: samplingRate,
      polling: acts('Seconds between counters; 30. 0: none.'),
      header: acts('Bytes of each packet that are sent; 128.'),
      agent: acts('Device whose address the agent has, or the address.'),
      external_ids: externalIds,
    },
  },
  IPFIX: {
    text: 'Where IPFIX records go.',
    columns: {
      targets: acts('Collectors, as ADDRESS[:PORT]; the port is 4739.'),
      sampling: samplingRate,
      obs_domain_id: acts('Observation domain.'),
      obs_point_id: acts('Observation point.'),
      cache_active_timeout: acts(
        'Seconds that a record is gathered for at most; 0: each sample is one.',
      ),
      cache_max_flows: acts('Records that are gathered at one time.'),
      stats_interval: acts("Seconds between the exporter's statistics of itself; empty: 600."),
      template_interval: acts('Seconds between templates; empty: 600.'),
      other_config: acts('enable-input-sampling, enable-output-sampling (true), virtual_obs_id.'),
      external_ids: externalIds,
    },
  },
  Flow_Sample_Collector_Set: {
    text: 'Collectors that the OpenFlow action sample names by a number.',
    columns: {
      id: acts('The number; unique within a bridge.'),
      bridge: acts('The bridge whose flows name it.'),
      ipfix: acts('Where the samples go.'),
      local_group_id: keeps('Group for samples that stay on the machine (psample).'),
      external_ids: externalIds,
    },
  },
  Controller: {
    text: 'An OpenFlow controller of a bridge.',
    columns: {
      type: acts('primary or service: in charge of the bridge, or not.'),
      target: acts('Where it is, or where it is waited for: tcp:HOST:PORT, ptcp:[PORT][:IP]...'),
      max_backoff: acts('Longest wait between attempts to connect, milliseconds.'),
      inactivity_probe: acts('Milliseconds of silence before it is probed; 0: never.'),
      connection_mode: acts('in-band or out-of-band.'),
      local_ip: keeps('Address of the local port, in-band.'),
      local_netmask: keeps('Netmask of the local port, in-band.'),
      local_gateway: keeps('Gateway of the local port, in-band.'),
      enable_async_messages: acts('Whether it gets asynchronous messages.'),
      controller_queue_size: acts('Packet-ins that wait for it at most.'),
      controller_rate_limit: acts('Packet-ins a second for it at most.'),
      controller_burst_limit: acts('Packet-ins that may come at once.'),
      other_config: noOtherConfig,
      external_ids: externalIds,
      is_connected: tells('Whether it is connected.'),
      role: tells('Role that it has taken: master, slave or other.'),
      status: tells('State of the connection, and since when.'),
    },
  },
  Manager: {
    text: 'A client of the database that comes by TCP or TLS, or is connected to.',
    columns: {
      target: acts(
        'ptcp:[PORT][:IP] and pssl: to listen; tcp:HOST:PORT, ssl: and unix: to connect.',
      ),
      max_backoff: acts('Longest wait between attempts to connect, milliseconds.'),
      inactivity_probe: acts('Milliseconds of silence before it is probed; 0: never.'),
      connection_mode: acts('in-band or out-of-band.'),
      other_config: noOtherConfig,
      external_ids: externalIds,
      is_connected: tells('Whether any client is connected by this target.'),
      status: tells('State of the connection, since when, its locks; n_connections, bound_port.'),
    },
  },
  Datapath: {
    text: 'Settings of a datapath.',
    columns: {
      datapath_version: keeps('Version of the datapath.'),
      ct_zones: keeps('Connection tracking zones by number.'),
      ct_zone_default_limit: keeps('Connections of a zone that has no limit of its own.'),
      capabilities: keeps('What the datapath can do.'),
      external_ids: externalIds,
    },
  },
  CT_Zone: {
    text: 'Settings of a connection tracking zone.',
    columns: {
      timeout_policy: keeps('Its timeouts.'),
      limit: keeps('Connections that it may have.'),
      external_ids: externalIds,
    },
  },
  CT_Timeout_Policy: {
    text: 'Timeouts of tracked connections.',
    columns: {
      timeouts: keeps('Seconds, by protocol and state.'),
      external_ids: externalIds,
    },
  },
  SSL: {
    text: 'Keys and certificates for ssl: and pssl: controllers and managers.',
    columns: {
      private_key: acts('PEM file with the private key.'),
      certificate: acts('PEM file with the certificate for it.'),
      ca_cert: acts('PEM file with the CA that peers must be signed by.'),
      bootstrap_ca_cert: acts('Whether to take the CA from the first controller.'),
      external_ids: externalIds,
    },
  },
  AutoAttach: {
    text: 'VLANs for service identifiers (IEEE 802.1Qcj).',
    columns: {
      system_name: keeps('Name of the switch in messages.'),
      system_description: keeps('Description of the switch in messages.'),
      mappings: keeps('VLANs by service identifier.'),
    },
  },
};

/** By table, in the order of the schema. */
export const openVSwitchDocs: { readonly [T in keyof OpenVSwitchTables]: TableDoc<T> } = {
  ...settings,
  ...attached,
};

/** What the switch does with a column; undefined for one that the schema does not have. */
export function columnUse(table: string, column: string): ColumnUse | undefined {
  const docs = openVSwitchDocs as { [table: string]: { columns: { [c: string]: ColumnDoc } } };
  return docs[table]?.columns[column]?.use;
}
