/**
 * Settings of a property test: so many runs from a fixed seed, as suits a unit test. `CHAINMAIL_FUZZ=100` makes a hundred
 * times as many, from another seed each time, which is printed; `CHAINMAIL_FUZZ_SEED` repeats one. fast-check prints seed
 * and path of a failure.
 */
export function fuzz(name: string, numRuns: number, seed = 1): { readonly numRuns: number; readonly seed: number } {
  const factor = Number(process.env.CHAINMAIL_FUZZ ?? 1);
  const given = process.env.CHAINMAIL_FUZZ_SEED;
  const chosen = given !== undefined ? Number(given) : factor === 1 ? seed : Date.now() % 2 ** 31;
  if (factor !== 1 || given !== undefined) console.log(`${name}: ${numRuns * factor} runs, CHAINMAIL_FUZZ_SEED=${chosen}`);
  return { numRuns: numRuns * factor, seed: chosen };
}

/** A test's time limit: the longer mode takes as long as it takes. */
export const FUZZ_TIMEOUT_MS = process.env.CHAINMAIL_FUZZ === undefined ? 20_000 : 3_600_000;
