/** Hues that stay apart from the red of failures, on light and dark paper alike. */
const HUES = [210, 150, 275, 40, 185, 320, 95, 240];

/** A service has one colour wherever it is drawn, whatever else is there. */
export function serviceColour(name: string): string {
  // FNV-1a, its upper bits: names of one mesh differ in few letters. http://www.isthe.com/chongo/tech/comp/fnv/
  let hash = 0x811c9dc5;
  for (let i = 0; i < name.length; i++) hash = Math.imul(hash ^ name.charCodeAt(i), 0x01000193);
  return `hsl(${HUES[(hash >>> 20) % HUES.length]} 60% 50%)`;
}
