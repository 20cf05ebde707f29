/** Cluster IPs and node ports: who has which, decided inside the write of the Service itself. */
export { allocateService } from './allocate-service.ts';
export { ipClaim, nodePortClaim, serviceClaims } from './claim-keys.ts';
export { addressAt, parseIpRange, rangeHas } from './ip-range.ts';
export type { IpRange } from './ip-range.ts';
export { holderOf, planRepair } from './repair.ts';
export type { Repair } from './repair.ts';
