// Addresses as text, from the bytes of a header.
import ipaddr from 'ipaddr.js';

export const ipText = (bytes: Uint8Array): string => ipaddr.fromByteArray([...bytes]).toString();

export const macText = (bytes: Uint8Array): string => [...bytes].map((byte) => byte.toString(16).padStart(2, '0')).join(':');
