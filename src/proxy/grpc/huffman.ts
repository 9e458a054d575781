/**
 * Huffman decoding of HPACK strings, RFC 7541 appendix B. The code is canonical (codes of one length ascend with the
 * symbol, lengths ascend), so the 257 code lengths are all that is needed; the tree is built at the first Huffman string.
 */

/** Code length of symbols 0..256 (256 is EOS), one base-36 digit each. */
const LENGTHS =
  "dnsssssssoussussssssssusssssssss6aacd68baa8b8666555666666678f6ca" +
  "d67777777777777777777777878djde6f56565666577666567655677777fbeds" +
  "kmkkmmmnmnnnnnonoomnonnnnlmnmnnomlkmmnnlnmmolmnnllmlnmnnkmmmnmmn" +
  "qqkjmnmpqqqrrqopjlqrrqrollqqsrrrkoklmllnmmppooqnqrqqrrrrrsrrrrrq" +
  "u";

const EOS = 256;
/** RFC 7541 5.2: padding longer than 7 bits is an error. */
const MAX_PADDING_BITS = 7;

/** node*2+bit: a positive child node, or the complement of a symbol (negative); 0 is not built yet. */
let tree: Int32Array | undefined;

/** Decodes to a latin1 string; throws on EOS inside the string and on bad padding. */
export function huffmanDecode(bytes: Uint8Array): string {
  const nodes = (tree ??= buildTree());
  // The shortest code has 5 bits: at most 8/5 symbols a byte.
  const out = Buffer.allocUnsafe(Math.ceil((bytes.length * 8) / 5));
  let length = 0;
  let node = 0;
  let depth = 0;
  let allOnes = true;
  for (const byte of bytes) {
    for (let bit = 7; bit >= 0; bit--) {
      const value = (byte >> bit) & 1;
      const next = nodes[node * 2 + value] ?? 0;
      depth++;
      allOnes &&= value === 1;
      if (next < 0) {
        if (~next === EOS) throw new RangeError("HPACK: EOS inside a Huffman string");
        out[length++] = ~next;
        node = 0;
        depth = 0;
        allOnes = true;
      } else {
        node = next;
      }
    }
  }
  if (depth > MAX_PADDING_BITS || !allOnes) throw new RangeError("HPACK: bad Huffman padding");
  return out.toString("latin1", 0, length);
}

function buildTree(): Int32Array {
  const symbols = Array.from(LENGTHS, (digit, symbol) => ({ symbol, length: parseInt(digit, 36) }));
  symbols.sort((a, b) => a.length - b.length || a.symbol - b.symbol);
  const nodes = [0, 0];
  let code = 0;
  let previous = symbols[0]?.length ?? 0;
  for (const { symbol, length } of symbols) {
    code = code * 2 ** (length - previous);
    previous = length;
    let node = 0;
    for (let bit = length - 1; bit > 0; bit--) {
      const slot = node * 2 + (Math.floor(code / 2 ** bit) & 1);
      let child = nodes[slot] ?? 0;
      if (child === 0) {
        child = nodes.length / 2;
        nodes.push(0, 0);
        nodes[slot] = child;
      }
      node = child;
    }
    nodes[node * 2 + (code & 1)] = ~symbol;
    code++;
  }
  return Int32Array.from(nodes);
}
