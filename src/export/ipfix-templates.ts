/**
 * IPFIX: which fields a record has, by what the packet is made of. A template for each combination:
 *
 *     VLAN or not  x  none, IPv4, IPv6  x  other, TCP, UDP, SCTP, ICMP  x  ingress, egress
 *
 * Numbers of templates are those of Open vSwitch, which has tunnels as a fifth property.
 * Source: RFC 7011 (messages), the registry of IPFIX information elements (numbers and sizes).
 */

export type L3 = 'none' | 'ipv4' | 'ipv6';
export type L4 = 'other' | 'tcp' | 'udp' | 'sctp' | 'icmp';

export interface TemplateKind {
  vlan: boolean;
  l3: L3;
  l4: L4;
  egress: boolean;
}

/** An information element: number, bytes (0: of varying length) and enterprise (0: none). */
export type IpfixField = readonly [id: number, bytes: number, enterprise?: number];

const L3S: readonly L3[] = ['none', 'ipv4', 'ipv6'];
const L4S: readonly L4[] = ['other', 'tcp', 'udp', 'sctp', 'icmp'];
const TEMPLATE_ID_MIN = 256;
/** Behind the last template of packets. */
export const EXPORTER_STATS_TEMPLATE = 256 + (((2 * 3 + 3) * 5 + 5) * 2 + 2) * 2 + 2;
const ENTERPRISE_VMWARE = 6876;

const COMMON: readonly IpfixField[] = [
  [138, 4], // observationPointId
  [61, 1], // flowDirection
  [56, 6], // sourceMacAddress
  [80, 6], // destinationMacAddress
  [256, 2], // ethernetType
  [240, 1], // ethernetHeaderLength
  [10, 4], // ingressInterface
  [368, 4], // ingressInterfaceType
  [82, 0], // interfaceName
  [83, 0], // interfaceDescription
];
const EGRESS: readonly IpfixField[] = [
  [14, 4], // egressInterface
  [369, 4], // egressInterfaceType
  [82, 0], // interfaceName
  [83, 0], // interfaceDescription
];
const VLAN: readonly IpfixField[] = [
  [58, 2], // vlanId
  [243, 2], // dot1qVlanId
  [244, 1], // dot1qPriority
];
const IP: readonly IpfixField[] = [
  [60, 1], // ipVersion
  [192, 1], // ipTTL
  [4, 1], // protocolIdentifier
  [195, 1], // ipDiffServCodePoint
  [196, 1], // ipPrecedence
  [5, 1], // ipClassOfService
];
const IPV4: readonly IpfixField[] = [
  [8, 4], // sourceIPv4Address
  [12, 4], // destinationIPv4Address
];
const IPV6: readonly IpfixField[] = [
  [27, 16], // sourceIPv6Address
  [28, 16], // destinationIPv6Address
  [31, 4], // flowLabelIPv6
];
const PORTS: readonly IpfixField[] = [
  [7, 2], // sourceTransportPort
  [11, 2], // destinationTransportPort
];
const ICMP4: readonly IpfixField[] = [
  [176, 1], // icmpTypeIPv4
  [177, 1], // icmpCodeIPv4
];
const ICMP6: readonly IpfixField[] = [
  [178, 1], // icmpTypeIPv6
  [179, 1], // icmpCodeIPv6
];
const VIRTUAL_OBS_ID: IpfixField = [898, 0, ENTERPRISE_VMWARE];
/** Totals before deltas: nfdump keeps the last of two counts of the same thing. */
const COUNTS: readonly IpfixField[] = [
  [158, 4], // flowStartDeltaMicroseconds
  [159, 4], // flowEndDeltaMicroseconds
  [135, 8], // droppedPacketTotalCount
  [133, 8], // droppedPacketDeltaCount
  [86, 8], // packetTotalCount
  [2, 8], // packetDeltaCount
  [354, 8], // ingressUnicastPacketTotalCount
  [355, 8], // ingressMulticastPacketTotalCount
  [356, 8], // ingressBroadcastPacketTotalCount
  [357, 8], // egressUnicastPacketTotalCount
  [358, 8], // egressBroadcastPacketTotalCount
  [174, 8], // postMCastPacketTotalCount
  [19, 8], // postMCastPacketDeltaCount
  [353, 8], // layer2OctetTotalCount
  [352, 8], // layer2OctetDeltaCount
  [136, 1], // flowEndReason
];
const IP_COUNTS: readonly IpfixField[] = [
  [134, 8], // droppedOctetTotalCount
  [132, 8], // droppedOctetDeltaCount
  [85, 8], // octetTotalCount
  [1, 8], // octetDeltaCount
  [199, 8], // octetTotalSumOfSquares
  [198, 8], // octetDeltaSumOfSquares
  [25, 8], // minimumIpTotalLength
  [26, 8], // maximumIpTotalLength
  [175, 8], // postMCastOctetTotalCount
  [20, 8], // postMCastOctetDeltaCount
];
const TCP_COUNTS: readonly IpfixField[] = [
  [222, 8], // tcpAckTotalCount
  [219, 8], // tcpFinTotalCount
  [221, 8], // tcpPshTotalCount
  [220, 8], // tcpRstTotalCount
  [218, 8], // tcpSynTotalCount
  [223, 8], // tcpUrgTotalCount
];
/** Scope first, then what is told: exportingProcessId, notSentPacketTotalCount. */
export const EXPORTER_STATS_FIELDS: readonly IpfixField[] = [
  [144, 4],
  [167, 8],
];

/** The number of a template: 256 and up. */
export function templateId({ vlan, l3, l4, egress }: TemplateKind): number {
  const combination = (vlan ? 3 : 0) + L3S.indexOf(l3);
  const notTunneled = (combination * 5 + L4S.indexOf(l4)) * 2;
  return TEMPLATE_ID_MIN + notTunneled * 2 + (egress ? 1 : 0);
}

/** Fields of a template, in the order of the record. */
export function templateFields(kind: TemplateKind, virtualObsId: boolean): IpfixField[] {
  const { vlan, l3, l4, egress } = kind;
  const fields = [...COMMON];
  if (egress) fields.push(...EGRESS);
  if (vlan) fields.push(...VLAN);
  if (l3 !== 'none') fields.push(...IP, ...(l3 === 'ipv4' ? IPV4 : IPV6));
  if (l4 === 'icmp') fields.push(...(l3 === 'ipv4' ? ICMP4 : ICMP6));
  else if (l4 !== 'other') fields.push(...PORTS);
  if (virtualObsId) fields.push(VIRTUAL_OBS_ID);
  fields.push(...COUNTS);
  if (l3 !== 'none') fields.push(...IP_COUNTS);
  if (l4 === 'tcp') fields.push(...TCP_COUNTS);
  return fields;
}

/** Every combination that a packet can be. */
export function templateKinds(): TemplateKind[] {
  return [false, true].flatMap((vlan) =>
    L3S.flatMap((l3) =>
      (l3 === 'none' ? (['other'] as const) : L4S).flatMap((l4) =>
        [false, true].map((egress) => ({ vlan, l3, l4, egress })),
      ),
    ),
  );
}
