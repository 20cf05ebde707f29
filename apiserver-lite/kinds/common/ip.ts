import { isIP, isIPv6 } from 'node:net';
import ipaddr from 'ipaddr.js';

/** `isIP` as a fault; leading zeros are refused by node:net already. */
export function ipFault(text: string): string | undefined {
  return isIP(text) === 0 ? 'must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)' : undefined;
}

export function cidrFault(text: string): string | undefined {
  return ipaddr.isValidCIDR(text) && isIP(text.split('/')[0] ?? '') !== 0 ? undefined : 'must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)';
}

export function ipFamily(text: string): 'IPv4' | 'IPv6' {
  return isIPv6(text.split('/')[0] ?? '') ? 'IPv6' : 'IPv4';
}

/** RFC 5952 for IPv6, dotted for IPv4: one spelling per address. */
export function canonicalIp(text: string): string {
  return ipaddr.isValid(text) ? ipaddr.parse(text).toString() : text;
}
