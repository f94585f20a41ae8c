"""The partner of a link aggregation: ports 1 and 2 are one link, port 3 leads to a station.

os-ken's library answers LACP; what goes to the link goes through a select group of the members
that are in use. A member leaves the group when the entry for its LACP frames was idle for too long.
"""
from common import Application, add_flow, output, say
from os_ken.controller import ofp_event
from os_ken.controller.handler import CONFIG_DISPATCHER, set_ev_cls
from os_ken.lib import lacplib

GROUP = 1
MEMBERS = (1, 2)
STATION = 3


class Aggregate(Application):
    """Switch 0xa1."""

    _CONTEXTS = {'lacplib': lacplib.LacpLib}

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.enabled = set()
        kwargs['lacplib'].add(0xa1, list(MEMBERS))

    @set_ev_cls(ofp_event.EventOFPSwitchFeatures, CONFIG_DISPATCHER)
    def up(self, ev):
        """LACP comes here, the rest goes between the link and the station."""
        dp = ev.msg.datapath
        self.group(dp, dp.ofproto.OFPGC_ADD)
        add_flow(dp, 0, {}, [])
        add_flow(dp, 20, {'eth_type': 0x8809}, [output(dp, dp.ofproto.OFPP_CONTROLLER)])
        for port in MEMBERS:
            add_flow(dp, 10, {'in_port': port}, [output(dp, STATION)])
        add_flow(dp, 10, {'in_port': STATION}, [dp.ofproto_parser.OFPActionGroup(GROUP)])

    def group(self, dp, command):
        """Adds or changes the group."""
        parser, ofp = dp.ofproto_parser, dp.ofproto
        buckets = [parser.OFPBucket(1, ofp.OFPP_ANY, ofp.OFPG_ANY, [output(dp, port)])
                   for port in sorted(self.enabled)]
        dp.send_msg(parser.OFPGroupMod(dp, command, ofp.OFPGT_SELECT, GROUP, buckets))

    @set_ev_cls(lacplib.EventSlaveStateChanged)
    def member(self, ev):
        """A member comes or goes."""
        (self.enabled.add if ev.enabled else self.enabled.discard)(ev.port)
        self.group(ev.datapath, ev.datapath.ofproto.OFPGC_MODIFY)
        say(members=sorted(self.enabled))
