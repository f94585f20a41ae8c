/** The exporters' public interface: see README.md. */
export { BridgeExport } from './bridge-export.js';
export * from './settings.js';
