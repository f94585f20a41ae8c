/**
 * DHCP's answers reach the local port of a bridge with in-band control, whatever its tables do with
 * them: without an address the switch could not reach its controller.
 */
import { OFPP } from '../../openflow/actions.js';
import { ETH_TYPE_IP, type FlowWords, W_NW, W_TP } from '../../packet/flow-layout.js';
import { dlType, nwProto } from '../flow-access.js';
import type { XlateContext } from './context.js';
import { composeOutput } from './output.js';

const IPPROTO_UDP = 17;
/** From the server's port to the client's, as the two halves of one word. */
const DHCP_REPLY_PORTS = (67 << 16) | 68;

/** Copies the packet to the local port if it is such an answer and does not go there anyway. */
export function outputDhcpReply(ctx: XlateContext): void {
  if (!ctx.ofproto.connmgr.inBand.active || ctx.inPort === OFPP.LOCAL) return;
  if (!isDhcpReply(ctx.flow, ctx.wc)) return;
  const local = ctx.port(OFPP.LOCAL)?.odpPort;
  if (ctx.actions.some((action) => action.type === 'output' && action.port === local)) return;
  ctx.report('detail', 'outputting DHCP packet to local port for in-band control');
  composeOutput(ctx, OFPP.LOCAL);
}

/** One bit that is another shows that a packet is none: other packets' flows stay wide. */
function isDhcpReply(flow: FlowWords, wc: FlowWords): boolean {
  if (dlType(flow) !== ETH_TYPE_IP) return false;
  wc[W_NW] |= 0xff000000;
  if (nwProto(flow) !== IPPROTO_UDP) return false;
  const differing = flow[W_TP] ^ DHCP_REPLY_PORTS;
  wc[W_TP] |= differing === 0 ? -1 : 1 << (31 - Math.clz32(differing));
  return differing === 0;
}
