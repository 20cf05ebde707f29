import 'reflect-metadata';
import { randomBytes } from 'node:crypto';
import type { webcrypto } from 'node:crypto';
import { isIP } from 'node:net';
import * as x509 from '@peculiar/x509';

/** A certificate and its key, both PEM. */
export type Pair = Readonly<{ cert: string; key: string }>;

const algorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const;
const dayMs = 24 * 60 * 60 * 1000;
/** Clocks of nodes differ a little. */
const skewMs = 5 * 60 * 1000;
const caDays = 3650;
const leafDays = 365;

const serialNumber = (): string => `0${randomBytes(15).toString('hex')}`;
const escapeName = (value: string): string => value.replaceAll(/([,+"\\<>;=#])/g, '\\$1');

async function keyPem(keys: webcrypto.CryptoKeyPair): Promise<string> {
  const der = await crypto.subtle.exportKey('pkcs8', keys.privateKey);
  return `${x509.PemConverter.encode(der, 'PRIVATE KEY')}\n`;
}

async function importKey(pem: string): Promise<webcrypto.CryptoKey> {
  return crypto.subtle.importKey('pkcs8', x509.PemConverter.decodeFirst(pem), algorithm, false, ['sign']);
}

/** A self-signed certificate authority. */
export async function createAuthority(commonName: string, nowMs: number): Promise<Pair> {
  const keys = await crypto.subtle.generateKey(algorithm, true, ['sign', 'verify']);
  const certificate = await x509.X509CertificateGenerator.createSelfSigned({
    serialNumber: serialNumber(), name: `CN=${escapeName(commonName)}`, keys, signingAlgorithm: algorithm,
    notBefore: new Date(nowMs - skewMs), notAfter: new Date(nowMs + caDays * dayMs),
    extensions: [
      new x509.BasicConstraintsExtension(true, undefined, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign | x509.KeyUsageFlags.digitalSignature, true),
      await x509.SubjectKeyIdentifierExtension.create(keys.publicKey),
    ],
  });
  return { cert: `${certificate.toString('pem')}\n`, key: await keyPem(keys) };
}

export type LeafRequest = Readonly<{
  commonName: string;
  organizations?: readonly string[];
  /** IP addresses and DNS names, for a serving certificate. */
  names?: readonly string[];
  usage: 'client' | 'server' | 'both';
}>;

/** A certificate signed by the authority. */
export async function issue(authority: Pair, { commonName, organizations = [], names = [], usage }: LeafRequest, nowMs: number): Promise<Pair> {
  const keys = await crypto.subtle.generateKey(algorithm, true, ['sign', 'verify']);
  const issuer = new x509.X509Certificate(authority.cert);
  const usages = [...(usage === 'client' ? [] : [x509.ExtendedKeyUsage.serverAuth]), ...(usage === 'server' ? [] : [x509.ExtendedKeyUsage.clientAuth])];
  const certificate = await x509.X509CertificateGenerator.create({
    serialNumber: serialNumber(), issuer: issuer.subject, publicKey: keys.publicKey, signingKey: await importKey(authority.key), signingAlgorithm: algorithm,
    subject: [...organizations.map((name) => `O=${escapeName(name)}`), `CN=${escapeName(commonName)}`].join(', '),
    notBefore: new Date(nowMs - skewMs), notAfter: new Date(Math.min(nowMs + leafDays * dayMs, issuer.notAfter.getTime())),
    extensions: [
      new x509.BasicConstraintsExtension(false, undefined, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
      new x509.ExtendedKeyUsageExtension(usages),
      ...(names.length > 0 ? [new x509.SubjectAlternativeNameExtension(names.map((value) => ({ type: isIP(value) === 0 ? 'dns' : 'ip', value })))] : []),
      await x509.AuthorityKeyIdentifierExtension.create(issuer.publicKey),
    ],
  });
  return { cert: `${certificate.toString('pem')}\n`, key: await keyPem(keys) };
}
