/** The OpenFlow layer's public interface: see README.md. */
export { OfprotoBacker } from './backer.js';
export { type OfprotoCommand, ofprotoCommands } from './commands/index.js';
export { type BondStatus, Ofproto, type OfprotoOptions } from './ofproto.js';
export { OfPort } from './port.js';
export { OfprotoRegistry } from './registry.js';
export * from './settings.js';
