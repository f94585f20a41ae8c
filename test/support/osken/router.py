"""A router between ports 1 and 2, with a limit, copies and a spare way; port 3 is the spare.

    10.1.1.0/24 - port 1 - (10.1.1.254 | 10.1.2.254) - port 2 - 10.1.2.0/24
                                                       port 3 - a host with port 2's address

It answers ARP for its addresses, learns stations by what they send, and sends what has no time
left to live back as ICMP. Datagrams to 9002 are limited by a meter, those to 9003 are copied to
ports 2 and 3 by a group of type all, and those to 9004 take the first of ports 2 and 3 that is up.
"""
from common import Application, add_flow, frame, output, say, send, set_field
from os_ken.controller import ofp_event
from os_ken.controller.handler import CONFIG_DISPATCHER, MAIN_DISPATCHER, set_ev_cls
from os_ken.lib.packet import arp, ethernet, icmp, ipv4, packet

GATEWAYS = {'10.1.1.254': '02:00:00:00:01:fe', '10.1.2.254': '02:00:00:00:02:fe'}
NEXT = {1: '10.1.1.254', 2: '10.1.2.254'}
PACKETS_A_SECOND = 10
UDP = {'in_port': 1, 'eth_type': 0x800, 'ip_proto': 17}


class Router(Application):
    """One switch."""

    @set_ev_cls(ofp_event.EventOFPSwitchFeatures, CONFIG_DISPATCHER)
    def up(self, ev):
        """Groups, the meter, and packets with no time left."""
        dp = ev.msg.datapath
        parser, ofp = dp.ofproto_parser, dp.ofproto
        add_flow(dp, 0, {}, [output(dp, ofp.OFPP_CONTROLLER)])
        ttl = 1 << ofp.OFPR_NO_MATCH | 1 << ofp.OFPR_ACTION | 1 << ofp.OFPR_INVALID_TTL
        dp.send_msg(parser.OFPSetAsync(dp, [ttl, ttl], [7, 7], [15, 15]))
        band = parser.OFPMeterBandDrop(rate=PACKETS_A_SECOND, burst_size=PACKETS_A_SECOND)
        flags = ofp.OFPMF_PKTPS | ofp.OFPMF_BURST
        dp.send_msg(parser.OFPMeterMod(dp, ofp.OFPMC_ADD, flags, 1, [band]))
        each = [parser.OFPBucket(0, ofp.OFPP_ANY, ofp.OFPG_ANY, [output(dp, port)])
                for port in (2, 3)]
        dp.send_msg(parser.OFPGroupMod(dp, ofp.OFPGC_ADD, ofp.OFPGT_ALL, 1, each))
        spare = [parser.OFPBucket(0, port, ofp.OFPG_ANY, [output(dp, port)]) for port in (2, 3)]
        dp.send_msg(parser.OFPGroupMod(dp, ofp.OFPGC_ADD, ofp.OFPGT_FF, 2, spare))

    @set_ev_cls(ofp_event.EventOFPPacketIn, MAIN_DISPATCHER)
    def packet(self, ev):
        """ARP, or a packet whose time is over."""
        msg, dp = ev.msg, ev.msg.datapath
        seen = packet.Packet(msg.data)
        eth, asked = seen.get_protocol(ethernet.ethernet), seen.get_protocol(arp.arp)
        in_port = msg.match['in_port']
        if asked is not None and in_port in NEXT:
            if asked.src_ip not in GATEWAYS:
                self.route(dp, in_port, asked.src_mac, asked.src_ip)
            if asked.opcode == arp.ARP_REQUEST and asked.dst_ip in GATEWAYS:
                mac = GATEWAYS[asked.dst_ip]
                reply = arp.arp(opcode=arp.ARP_REPLY, src_mac=mac, src_ip=asked.dst_ip,
                                dst_mac=asked.src_mac, dst_ip=asked.src_ip)
                send(dp, frame(ethernet.ethernet(asked.src_mac, mac, 0x806), reply), in_port)
        elif msg.reason == dp.ofproto.OFPR_INVALID_TTL:
            self.expired(dp, in_port, eth, seen.get_protocol(ipv4.ipv4), msg.data)

    def route(self, dp, port, mac, address):
        """The way to a station: other addresses, one hop less."""
        parser = dp.ofproto_parser
        # First of all the hop, so that the controller sees what cannot go on as it came.
        hop = [parser.OFPActionDecNwTtl(), set_field(dp, eth_src=GATEWAYS[NEXT[port]]),
               set_field(dp, eth_dst=mac)]
        to = {'eth_type': 0x800, 'ipv4_dst': address}
        add_flow(dp, 10, to, hop + [output(dp, port)])
        if port == 2:
            goals = {9002: [output(dp, 2)], 9003: [parser.OFPActionGroup(1)],
                     9004: [parser.OFPActionGroup(2)]}
            for number, way in goals.items():
                meter = 1 if number == 9002 else None
                fields = {**UDP, 'ipv4_dst': address, 'udp_dst': number}
                add_flow(dp, 20, fields, hop + way, meter=meter)
        say(route=address, port=port)

    def expired(self, dp, port, eth, ip, data):
        """ICMP about a packet that may not go on."""
        gateway = NEXT[port]
        about = icmp.TimeExceeded(data_len=28, data=data[14:14 + 28])
        send(dp, frame(
            ethernet.ethernet(eth.src, GATEWAYS[gateway], 0x800),
            ipv4.ipv4(src=gateway, dst=ip.src, proto=1, ttl=64),
            icmp.icmp(icmp.ICMP_TIME_EXCEEDED, 0, 0, about)), port)
        say(expired=ip.src, ttl=ip.ttl)
