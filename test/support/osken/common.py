"""What the applications in this folder share: flows, packets out, and lines for the test to read.

They are small programs for os-ken's manager, at OpenFlow 1.3; the tests of controllers start them.
"""
import json

from os_ken.base import app_manager
from os_ken.lib.packet import packet
from os_ken.ofproto import ofproto_v1_3


class Application(app_manager.OSKenApp):
    """An application at OpenFlow 1.3."""

    OFP_VERSIONS = [ofproto_v1_3.OFP_VERSION]


def say(**what):
    """Tells the test, by a line of JSON."""
    print(json.dumps(what), flush=True)


def output(dp, port):
    """The action that sends to a port, whole frames to the controller."""
    return dp.ofproto_parser.OFPActionOutput(port, dp.ofproto.OFPCML_NO_BUFFER)


def set_field(dp, **field):
    """The action that sets one field."""
    return dp.ofproto_parser.OFPActionSetField(**field)


def add_flow(dp, priority, fields, actions, meter=None, **more):
    """Adds an entry to table 0."""
    parser, ofp = dp.ofproto_parser, dp.ofproto
    instructions = [parser.OFPInstructionActions(ofp.OFPIT_APPLY_ACTIONS, actions)]
    if meter is not None:
        instructions.insert(0, parser.OFPInstructionMeter(meter, ofp.OFPIT_METER))
    match = parser.OFPMatch(**fields)
    dp.send_msg(parser.OFPFlowMod(datapath=dp, priority=priority, match=match,
                                  instructions=instructions, **more))


def delete_flows(dp, **fields):
    """Deletes what matches."""
    parser, ofp = dp.ofproto_parser, dp.ofproto
    dp.send_msg(parser.OFPFlowMod(
        datapath=dp, command=ofp.OFPFC_DELETE, table_id=ofp.OFPTT_ALL, out_port=ofp.OFPP_ANY,
        out_group=ofp.OFPG_ANY, match=parser.OFPMatch(**fields)))


def send(dp, data, port, in_port=None):
    """A packet-out."""
    ofp = dp.ofproto
    dp.send_msg(dp.ofproto_parser.OFPPacketOut(
        datapath=dp, buffer_id=ofp.OFP_NO_BUFFER, data=data,
        in_port=ofp.OFPP_CONTROLLER if in_port is None else in_port,
        actions=[output(dp, port)]))


def frame(*headers):
    """The bytes of a frame."""
    made = packet.Packet()
    for header in headers:
        made.add_protocol(header)
    made.serialize()
    return made.data


class Stations:
    """Where stations were seen, for each switch."""

    def __init__(self):
        self.ports = {}

    def forward(self, msg, install=True):
        """Learns from a packet-in and sends the packet on, by an entry when its goal is known."""
        dp, in_port = msg.datapath, msg.match['in_port']
        dst, src = (msg.data[at:at + 6].hex(':') for at in (0, 6))
        self.ports[dp.id, src] = in_port
        port = self.ports.get((dp.id, dst), dp.ofproto.OFPP_FLOOD)
        if install and port != dp.ofproto.OFPP_FLOOD:
            fields = {'in_port': in_port, 'eth_src': src, 'eth_dst': dst}
            add_flow(dp, 10, fields, [output(dp, port)])
        send(dp, msg.data, port, in_port)

    def forget(self, dp):
        """Forgets the stations of a switch, and its entries for them."""
        for key in [key for key in self.ports if key[0] == dp.id]:
            delete_flows(dp, eth_dst=key[1])
            del self.ports[key]
