/**
 * A packet from a form: which fields there are for each kind of packet, and its flow in ofctl's
 * syntax.
 */

export interface PacketForm {
  kind: string;
  dl_src: string;
  dl_dst: string;
  vlan: string;
  src: string;
  dst: string;
  tp_src: string;
  tp_dst: string;
}

export const EMPTY_FORM: PacketForm = {
  kind: 'icmp',
  dl_src: '',
  dl_dst: '',
  vlan: '',
  src: '',
  dst: '',
  tp_src: '',
  tp_dst: '',
};

export interface FormField {
  name: keyof PacketForm;
  label: string;
  placeholder?: string;
  choices?: readonly (readonly [string, string])[];
}

const KINDS = [
  ['icmp', 'ping'],
  ['tcp', 'TCP'],
  ['udp', 'UDP'],
  ['arp', 'ARP request'],
  ['icmp6', 'ping, IPv6'],
  ['tcp6', 'TCP, IPv6'],
  ['udp6', 'UDP, IPv6'],
  ['', 'Ethernet only'],
] as const;

const hasPorts = (kind: string): boolean => /^(tcp|udp)6?$/.test(kind);
const isV6 = (kind: string): boolean => kind.endsWith('6');

/** The fields that the form asks for. */
export function fieldsOf({ kind }: PacketForm): FormField[] {
  const fields: FormField[] = [
    { name: 'kind', label: 'Kind', choices: KINDS },
    { name: 'dl_src', label: 'From MAC', placeholder: '02:00:00:00:00:01' },
    {
      name: 'dl_dst',
      label: 'To MAC',
      placeholder: kind === 'arp' ? 'ff:ff:ff:ff:ff:ff' : '02:00:00:00:00:02',
    },
    { name: 'vlan', label: 'VLAN', placeholder: 'untagged' },
  ];
  if (kind !== '') {
    const example = isV6(kind) ? 'fd00::' : '10.0.0.';
    fields.push(
      { name: 'src', label: 'From address', placeholder: `${example}1` },
      { name: 'dst', label: 'To address', placeholder: `${example}2` },
    );
  }
  if (hasPorts(kind)) {
    fields.push(
      { name: 'tp_src', label: 'From port', placeholder: '40000' },
      { name: 'tp_dst', label: 'To port', placeholder: '80' },
    );
  }
  return fields;
}

/** The flow that the form describes; what is empty is not said. */
export function flowOf(form: PacketForm): string {
  const { kind } = form;
  const value = (name: string, text: string): string =>
    text.trim() === '' ? '' : `${name}=${text.trim()}`;
  const [from, to] = kind === 'arp' ? ['arp_spa', 'arp_tpa'] : addressNames(kind);
  const parts = [
    kind,
    kind === 'icmp' ? 'icmp_type=8' : kind === 'icmp6' ? 'icmp_type=128' : '',
    kind === 'arp' ? 'arp_op=1' : '',
    value('dl_src', form.dl_src),
    value('dl_dst', form.dl_dst === '' && kind === 'arp' ? 'ff:ff:ff:ff:ff:ff' : form.dl_dst),
    value('dl_vlan', form.vlan),
    ...(kind === '' ? [] : [value(from, form.src), value(to, form.dst)]),
    ...(hasPorts(kind) ? [value('tp_src', form.tp_src), value('tp_dst', form.tp_dst)] : []),
  ];
  return parts.filter((part) => part !== '').join(',');
}

function addressNames(kind: string): [string, string] {
  return isV6(kind) ? ['ipv6_src', 'ipv6_dst'] : ['nw_src', 'nw_dst'];
}
