/** Version texts for the commands: see common/version.ts. */
export { OVS_INTERFACE_VERSION, tapswitchVersion, versionText } from '../common/version.js';
