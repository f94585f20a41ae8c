"""A learning switch that asks for the counters of ports and entries, twice a second."""
from common import Application, Stations, add_flow, output, say
from os_ken.controller import ofp_event
from os_ken.controller.handler import CONFIG_DISPATCHER, MAIN_DISPATCHER, set_ev_cls
from os_ken.lib import hub


class Monitor(Application):
    """Says what the statistics say."""

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.stations = Stations()

    @set_ev_cls(ofp_event.EventOFPSwitchFeatures, CONFIG_DISPATCHER)
    def up(self, ev):
        """Table miss, and a thread that asks."""
        dp = ev.msg.datapath
        add_flow(dp, 0, {}, [output(dp, dp.ofproto.OFPP_CONTROLLER)])
        hub.spawn(self.poll, dp)

    def poll(self, dp):
        """Asks for ever."""
        parser = dp.ofproto_parser
        while True:
            dp.send_msg(parser.OFPPortStatsRequest(dp, 0, dp.ofproto.OFPP_ANY))
            dp.send_msg(parser.OFPFlowStatsRequest(dp))
            hub.sleep(0.5)

    @set_ev_cls(ofp_event.EventOFPPacketIn, MAIN_DISPATCHER)
    def packet(self, ev):
        """Learns."""
        self.stations.forward(ev.msg)

    @set_ev_cls(ofp_event.EventOFPPortStatsReply, MAIN_DISPATCHER)
    def ports(self, ev):
        """Counters of ports."""
        say(ports={p.port_no: [p.rx_packets, p.tx_packets, p.rx_bytes] for p in ev.msg.body})

    @set_ev_cls(ofp_event.EventOFPFlowStatsReply, MAIN_DISPATCHER)
    def flows(self, ev):
        """Counters of the entries that were learned."""
        learned = [flow for flow in ev.msg.body if flow.priority == 10]
        say(flows={flow.match['in_port']: [flow.packet_count, flow.byte_count]
                   for flow in learned})
