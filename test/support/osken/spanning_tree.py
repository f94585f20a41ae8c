"""Learning switches whose spanning tree os-ken's library makes, with short times."""
from common import Application, Stations, add_flow, output, say
from os_ken.controller import ofp_event
from os_ken.controller.handler import CONFIG_DISPATCHER, set_ev_cls
from os_ken.lib import stplib

STATES = ('disabled', 'blocking', 'listening', 'learning', 'forwarding')
TIMES = {'hello_time': 1, 'max_age': 4, 'fwd_delay': 1}


class SpanningTree(Application):
    """Switches 1 to 3; 1 is the root."""

    _CONTEXTS = {'stplib': stplib.Stp}

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.stations = Stations()
        kwargs['stplib'].set_config({
            dpid: {'bridge': {'priority': 0x1000 * dpid, **TIMES}} for dpid in (1, 2, 3)})

    @set_ev_cls(ofp_event.EventOFPSwitchFeatures, CONFIG_DISPATCHER)
    def up(self, ev):
        """Table miss."""
        dp = ev.msg.datapath
        add_flow(dp, 0, {}, [output(dp, dp.ofproto.OFPP_CONTROLLER)])

    @set_ev_cls(stplib.EventPacketIn)
    def packet(self, ev):
        """Learns."""
        self.stations.forward(ev.msg)

    @set_ev_cls(stplib.EventTopologyChange)
    def changed(self, ev):
        """Ways are others now."""
        self.stations.forget(ev.dp)

    @set_ev_cls(stplib.EventPortStateChange)
    def state(self, ev):
        """A port's state."""
        say(switch=ev.dp.id, port=ev.port_no, state=STATES[ev.port_state])
