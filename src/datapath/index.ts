/** Datapaths: what the layers above use (dpif.ts), and the text of keys and actions. */
export { createDpif, DATAPATH_TYPES } from './create-dpif.js';
export type { DpFlow, DpFlowStats, Dpif, DpPort, DpStats, FrameBytes, Upcall } from './dpif.js';
export type { OdpAction } from './odp-actions.js';
export { formatDpFlow, formatOdpActions, formatOdpKey } from './odp-format.js';
