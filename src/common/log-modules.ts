/**
 * Names of Open vSwitch's log modules: `-vvconn:dbg` or `vlog/set ofproto:warn` must be accepted
 * for each of them, whether or not something here logs under that name.
 *
 * Not for: levels and destinations (log-spec.ts).
 */
import { getLogger } from './log.js';

const MODULES = (
  'backtrace bfd bond bridge bundle bundles cfm collectors command_line connmgr conntrack ' +
  'coverage ct_dpif daemon daemon_unix db_ctl_base dns_resolve dpdk dpif dpif_netdev ' +
  'dpif_netlink entropy fail_open fatal_signal flow hmap in_band ipf ipfix jsonrpc lacp ' +
  'lockfile memory meta_flow native_tnl netdev netdev_dummy netdev_linux netdev_offload ' +
  'netdev_vport netflow netlink netlink_notifier netlink_socket nx_match odp_execute odp_util ' +
  'ofp_actions ofp_bundle ofp_connection ofp_errors ofp_flow ofp_group ofp_match ofp_meter ' +
  'ofp_monitor ofp_msgs ofp_packet ofp_port ofp_protocol ofp_queue ofp_table ofp_util ofproto ' +
  'ofproto_dpif ofproto_dpif_mirror ofproto_dpif_monitor ofproto_dpif_rid ofproto_dpif_upcall ' +
  'ofproto_dpif_xlate ofproto_xlate_cache ovs_lldp ovs_numa ovs_rcu ovs_router ovs_thread ' +
  'ovsdb_cs ovsdb_error ovsdb_idl ox_stat pcap pmd_perf poll_loop process rconn reconnect ' +
  'route_table rstp rstp_sm sflow sha1 signals socket_util stopwatch stp stream stream_fd ' +
  'stream_ssl stream_tcp stream_unix svec system_stats tc timeval tunnel unixctl util uuid ' +
  'vconn vconn_stream vlog vswitchd'
).split(' ');

/** Makes every module known. */
export function registerLogModules(): void {
  for (const name of MODULES) getLogger(name);
}
