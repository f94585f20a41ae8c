import type { ControllerActionState } from './controller-actions.js';
import type { Ofproto } from './ofproto.js';
import type { OfPort } from './port.js';
import type { RemovedReason, Rule } from './rule.js';
import type { ControllerSettings, ControllerStatus, FailMode } from './settings.js';
export class Connmgr {
  constructor(private readonly ofproto: Ofproto) {}
  applyFailMode(): void {
    this.ofproto.addDefaultFlow();
  }
  setFailMode(_mode: FailMode): void {}
  setControllers(_list: readonly ControllerSettings[]): void {}
  controllerStatus(): ControllerStatus[] {
    return [];
  }
  setProtocols(_v: readonly number[]): void {}
  setSnoops(_v: readonly string[]): void {}
  async listenMgmt(_path: string): Promise<void> {}
  reconnectAll(): void {}
  wantsPacketInOnMiss(): boolean {
    return false;
  }
  sendPacketIn(_s: ControllerActionState, _d: Uint8Array, _m: number): void {}
  sendFlowRemoved(_r: Rule, _reason: RemovedReason): void {}
  sendPortStatus(_p: OfPort, _r: 'add' | 'delete' | 'modify'): void {}
  run(_now: number): void {}
  nextWake(): number {
    return Infinity;
  }
  close(): void {}
}
