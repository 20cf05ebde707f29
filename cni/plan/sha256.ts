/**
 * SHA-256 (FIPS 180-4), because `node:crypto` costs an executable more time to load than all that it has to do. Only for
 * names of kernel objects.
 */
const primes = firstPrimes(64);
const fraction = (value: number): number => Math.floor((value - Math.floor(value)) * 2 ** 32) | 0;
const roundConstants = Int32Array.from(primes, (prime) => fraction(Math.cbrt(prime)));
const initial = Int32Array.from(primes.slice(0, 8), (prime) => fraction(Math.sqrt(prime)));

/** Lower-case hex. */
export function sha256(text: string): string {
  const message = Buffer.from(text);
  const blocks = Math.ceil((message.length + 9) / 64);
  const bytes = Buffer.alloc(blocks * 64);
  bytes.set(message);
  bytes[message.length] = 0x80;
  bytes.writeUInt32BE(Math.floor(message.length / 2 ** 29), bytes.length - 8);
  bytes.writeUInt32BE((message.length * 8) >>> 0, bytes.length - 4);
  const state = Int32Array.from(initial);
  for (let block = 0; block < blocks; block++) compress(state, bytes.subarray(block * 64, block * 64 + 64));
  return [...state].map((word) => (word >>> 0).toString(16).padStart(8, '0')).join('');
}

function compress(state: Int32Array, block: Buffer): void {
  const w = new Int32Array(64);
  const at = (array: Int32Array, index: number): number => array[index] ?? 0;
  for (let t = 0; t < 16; t++) w[t] = block.readInt32BE(t * 4);
  for (let t = 16; t < 64; t++) {
    const [x, y] = [at(w, t - 15), at(w, t - 2)];
    w[t] = (at(w, t - 16) + (rotate(x, 7) ^ rotate(x, 18) ^ (x >>> 3)) + at(w, t - 7) + (rotate(y, 17) ^ rotate(y, 19) ^ (y >>> 10))) | 0;
  }
  let [a, b, c, d, e, f, g, h] = [...state] as [number, number, number, number, number, number, number, number];
  for (let t = 0; t < 64; t++) {
    const one = (h + (rotate(e, 6) ^ rotate(e, 11) ^ rotate(e, 25)) + ((e & f) ^ (~e & g)) + at(roundConstants, t) + at(w, t)) | 0;
    const two = ((rotate(a, 2) ^ rotate(a, 13) ^ rotate(a, 22)) + ((a & b) ^ (a & c) ^ (b & c))) | 0;
    [h, g, f, e, d, c, b, a] = [g, f, e, (d + one) | 0, c, b, a, (one + two) | 0];
  }
  [a, b, c, d, e, f, g, h].forEach((word, index) => { state[index] = (at(state, index) + word) | 0; });
}

const rotate = (value: number, bits: number): number => (value >>> bits) | (value << (32 - bits));

function firstPrimes(count: number): readonly number[] {
  const found: number[] = [];
  for (let candidate = 2; found.length < count; candidate++) if (found.every((prime) => candidate % prime !== 0)) found.push(candidate);
  return found;
}
