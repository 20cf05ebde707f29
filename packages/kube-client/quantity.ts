// Resource quantities as numbers. https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/quantity/

const pattern = /^([+-]?(?:\d+\.?\d*|\.\d+))(?:([numkMGTPE]|[KMGTPE]i)|[eE]([+-]?\d+))?$/;
const factors: Readonly<Record<string, number>> = {
  k: 1e3, M: 1e6, G: 1e9, T: 1e12, P: 1e15, E: 1e18,
  Ki: 2 ** 10, Mi: 2 ** 20, Gi: 2 ** 30, Ti: 2 ** 40, Pi: 2 ** 50, Ei: 2 ** 60,
};
/** Divided by, not multiplied with: 100m must be 0.1 and not a neighbour of it. */
const divisors: Readonly<Record<string, number>> = { n: 1e9, u: 1e6, m: 1e3 };

/** In the base unit (cores, bytes): `250m` is 0.25, `1Gi` is 1073741824; undefined when it is no quantity. Exact up to 2^53. */
export function quantityValue(text: string | number | undefined): number | undefined {
  const match = pattern.exec(String(text ?? '').trim());
  if (match === null) return undefined;
  const [, number = '0', suffix = '', exponent] = match;
  return exponent === undefined ? Number(number) * (factors[suffix] ?? 1) / (divisors[suffix] ?? 1) : Number(`${number}e${exponent}`);
}

/** The same, for what was validated before. Throws a RangeError that names a text which is no quantity. */
export function parseQuantity(text: string | number): number {
  const value = quantityValue(text);
  if (value === undefined) throw new RangeError(`${JSON.stringify(text)} is not a quantity such as 250m, 64Mi or 1.5`);
  return value;
}

/** Whole milli-units, rounded up as Kubernetes does (half a millicore is one). */
export function milliValue(text: string | number): number {
  return Math.ceil(parseQuantity(text) * 1000 - 1e-9);
}
