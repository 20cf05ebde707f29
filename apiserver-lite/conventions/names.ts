/** What names may look like. Each rule returns the faults as sentences, none when the text is good. */
const LABEL = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/;
const SUBDOMAIN = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/;
const DNS_1035 = /^[a-z]([-a-z0-9]*[a-z0-9])?$/;
const QUALIFIED_PART = /^([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]$/;
const LABEL_VALUE = /^(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?$/;
const ENV_NAME = /^[ -<>-~]+$/;
const DATA_KEY = /^[-._a-zA-Z0-9]+$/;

const labelText = "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')";
const subdomainText = "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')";
const dns1035Text = "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic character, and end with an alphanumeric character (e.g. 'my-name',  or 'abc-123', regex used for validation is '[a-z]([-a-z0-9]*[a-z0-9])?')";
const qualifiedText = "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')";
const labelValueText = "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')";
const envText = "a valid environment variable name must consist only of printable ASCII characters other than '='";
const dataKeyText = "a valid config key must consist of alphanumeric characters, '-', '_' or '.' (e.g. 'key.name',  or 'KEY_NAME',  or 'key-name', regex used for validation is '[-._a-zA-Z0-9]+')";

const tooLong = (length: number): string => `must be no more than ${length} characters`;

function check(text: string, pattern: RegExp, fault: string, maxLength: number): string[] {
  const faults: string[] = [];
  if (text.length > maxLength) faults.push(tooLong(maxLength));
  if (!pattern.test(text)) faults.push(fault);
  return faults;
}

export const dnsLabelFaults = (text: string): string[] => check(text, LABEL, labelText, 63);
export const dnsSubdomainFaults = (text: string): string[] => check(text, SUBDOMAIN, subdomainText, 253);
export const dns1035Faults = (text: string): string[] => check(text, DNS_1035, dns1035Text, 63);
export const labelValueFaults = (text: string): string[] => check(text, LABEL_VALUE, labelValueText, 63);

/** `name` or `prefix.domain/name`: label keys, annotation keys, resource names, finalizers. */
export function qualifiedNameFaults(text: string): string[] {
  const parts = text.split('/');
  if (parts.length > 2) {
    return [`a qualified name ${qualifiedText.slice('name part '.length)} with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')`];
  }
  const faults: string[] = [];
  const [prefix, name] = parts.length === 2 ? parts : [undefined, parts[0]];
  if (prefix === '') faults.push('prefix part must be non-empty');
  else if (prefix !== undefined) faults.push(...dnsSubdomainFaults(prefix).map((fault) => `prefix part ${fault}`));
  if (name === undefined || name === '') faults.push('name part must be non-empty');
  else if (name.length > 63) faults.push('name part must be no more than 63 characters');
  if (!QUALIFIED_PART.test(name ?? '')) faults.push(qualifiedText);
  return faults;
}

/** Names of container ports: IANA service names. */
export function portNameFaults(text: string): string[] {
  const faults: string[] = [];
  if (text.length > 15) faults.push(tooLong(15));
  if (!/^[-a-z0-9]+$/.test(text)) faults.push('must contain only alphanumeric characters (a-z, 0-9), and hyphens (-)');
  if (!/[a-z]/.test(text)) faults.push('must contain at least one letter (a-z)');
  if (text.includes('--')) faults.push('must not contain consecutive hyphens');
  if (text.startsWith('-') || text.endsWith('-')) faults.push('must not begin or end with a hyphen');
  return faults;
}

export function portNumberFaults(port: number): string[] {
  return Number.isInteger(port) && port >= 1 && port <= 65535 ? [] : ['must be between 1 and 65535, inclusive'];
}

export const envNameFaults = (text: string): string[] => (ENV_NAME.test(text) ? [] : [envText]);

/** Keys of ConfigMaps and Secrets: they become file names. */
export function dataKeyFaults(text: string): string[] {
  const faults = check(text, DATA_KEY, dataKeyText, 253);
  if (text === '.') faults.push("must not be '.'");
  else if (text === '..') faults.push("must not be '..'");
  else if (text.startsWith('..')) faults.push("must not start with '..'");
  return faults;
}
