// @podwire/lab: several nodes on one Linux machine. The command line is main.ts; this is for tests and other programs.
export { up } from './up.ts';
export type { UpResult } from './up.ts';
export { down } from './down.ts';
export { labStatus } from './status.ts';
export type { LabStatus } from './status.ts';
export { existingLab } from './state/existing.ts';
export type { Lab } from './state/existing.ts';
export { labNames, nodeName } from './state/names.ts';
export type { LabNames } from './state/names.ts';
export { underlayAddresses } from './state/spec.ts';
export type { LabSpec, UpOptions } from './state/spec.ts';
export { nodeNetns } from './node-command.ts';
export { LabError } from './errors.ts';
