import fc from "fast-check";

/**
 * Before all tests: properties are tried from a fixed seed, so that a run proves today what it proved yesterday.
 * `CHAINMAIL_FUZZ_SEED` gives another; fast-check prints the seed of a failure.
 */
fc.configureGlobal({ seed: Number(process.env.CHAINMAIL_FUZZ_SEED ?? 1) });
