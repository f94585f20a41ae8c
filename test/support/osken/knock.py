"""A firewall that opens to who knocks: datagrams to three ports, in their order.

Entries come by what is seen: each knock is a packet-in; the last one of a right sequence lets its
sender through, until it was silent for two seconds. The end of an entry is said, too.
"""
from common import Application, add_flow, output, say
from os_ken.controller import ofp_event
from os_ken.controller.handler import CONFIG_DISPATCHER, MAIN_DISPATCHER, set_ev_cls
from os_ken.lib.packet import ipv4, packet, udp

SEQUENCE = (7001, 7003, 7002)
SILENCE_S = 2


class Knock(Application):
    """Port 1 is outside, port 2 is the server."""

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.progress = {}

    @set_ev_cls(ofp_event.EventOFPSwitchFeatures, CONFIG_DISPATCHER)
    def up(self, ev):
        """ARP and what the server says pass; knocks come here; anything else is dropped."""
        dp = ev.msg.datapath
        add_flow(dp, 30, {'eth_type': 0x806}, [output(dp, dp.ofproto.OFPP_FLOOD)])
        add_flow(dp, 30, {'in_port': 2}, [output(dp, 1)])
        for port in SEQUENCE:
            fields = {'in_port': 1, 'eth_type': 0x800, 'ip_proto': 17, 'udp_dst': port}
            add_flow(dp, 40, fields, [output(dp, dp.ofproto.OFPP_CONTROLLER)])
        add_flow(dp, 0, {}, [])

    @set_ev_cls(ofp_event.EventOFPPacketIn, MAIN_DISPATCHER)
    def knock(self, ev):
        """One more knock."""
        msg = ev.msg
        seen = packet.Packet(msg.data)
        source, port = seen.get_protocol(ipv4.ipv4).src, seen.get_protocol(udp.udp).dst_port
        step = self.progress.get(source, 0)
        step = step + 1 if SEQUENCE[step] == port else 0
        self.progress[source] = step % len(SEQUENCE)
        say(knock=port, step=step)
        if step == len(SEQUENCE):
            dp = msg.datapath
            add_flow(dp, 20, {'in_port': 1, 'eth_type': 0x800, 'ipv4_src': source},
                     [output(dp, 2)], idle_timeout=SILENCE_S,
                     flags=dp.ofproto.OFPFF_SEND_FLOW_REM)
            dp.send_msg(dp.ofproto_parser.OFPBarrierRequest(dp))

    @set_ev_cls(ofp_event.EventOFPBarrierReply, MAIN_DISPATCHER)
    def opened(self, _ev):
        """The entry is there."""
        say(opened=True)

    @set_ev_cls(ofp_event.EventOFPFlowRemoved, MAIN_DISPATCHER)
    def closed(self, ev):
        """The entry is gone."""
        msg = ev.msg
        idle = msg.reason == msg.datapath.ofproto.OFPRR_IDLE_TIMEOUT
        say(closed=msg.match['ipv4_src'], idle=idle, packets=msg.packet_count)
