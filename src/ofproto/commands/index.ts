import type { OfprotoRegistry } from '../registry.js';
export interface OfprotoCommand {
  name: string;
  usage: string | null;
  minArgs: number;
  maxArgs: number;
  run(args: string[]): string | Promise<string>;
}
export function ofprotoCommands(_r: OfprotoRegistry): OfprotoCommand[] {
  return [];
}
