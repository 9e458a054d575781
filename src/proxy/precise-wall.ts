/**
 * Epoch milliseconds with fractions: the wall clock's whole milliseconds, with the finer steps of a monotonic clock between
 * them. It follows the wall clock wherever that is set to, and costs no system call more.
 */
export function preciseWall(now: () => number): (monotonic: number) => number {
  let offset = Infinity;
  return (monotonic) => {
    const wall = now();
    const fine = offset + monotonic;
    if (fine < wall) offset = wall - monotonic;
    else if (fine >= wall + 1) offset = wall + LAST_STEP - monotonic;
    return offset + monotonic;
  };
}

/** The end of a millisecond, short of the next by more than a double of today's date can lose. */
const LAST_STEP = 0.999;
