import { closeFd } from "./socket-options.ts";
import { check, cString, libc, O_CLOEXEC, O_NONBLOCK } from "./libc.ts";

const O_RDWR = 2;
/** Opening a terminal must not make it the controlling one of this process. */
const O_NOCTTY = 0o400;
/** The same on x86-64 and arm64. */
const TIOCSPTLCK = 0x40045431;
const TIOCGPTN = 0x80045430;
const TIOCSWINSZ = 0x5414;

/** A new terminal of the devpts instance that the thread's root has: our non-blocking end, the programs' end, and the N of /dev/pts/N. Throws SystemError. */
export function openTerminal(): { fd: number; programFd: number; number: number } {
  const fd = check(libc().open(cString("/dev/ptmx"), O_RDWR | O_NOCTTY | O_CLOEXEC | O_NONBLOCK, 0), "open /dev/ptmx");
  try {
    const number = new Int32Array(1);
    check(libc().ioctl(fd, TIOCSPTLCK, new Int32Array(1)), "unlock a terminal");
    check(libc().ioctl(fd, TIOCGPTN, number), "number of a terminal");
    const path = `/dev/pts/${number[0]}`;
    return { fd, programFd: check(libc().open(cString(path), O_RDWR | O_NOCTTY | O_CLOEXEC, 0), `open ${path}`), number: number[0] ?? 0 };
  } catch (error) {
    closeFd(fd);
    throw error;
  }
}

/** Tells the programs on the terminal its new size. Throws SystemError. */
export function resizeTerminal(fd: number, columns: number, rows: number): void {
  // struct winsize {u16 rows, columns, x pixels, y pixels}
  check(libc().ioctl(fd, TIOCSWINSZ, new Uint16Array([rows, columns, 0, 0])), "resize a terminal");
}
