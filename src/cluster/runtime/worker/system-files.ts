import { existsSync, lstatSync, readdirSync, readlinkSync } from "node:fs";

/** What every container sees of the machine's own files. Computed once; the kernel does the rest per container. */
export interface SystemFiles {
  /** Top folders bound read-only. */
  folders: string[];
  /** Top links, such as /bin to usr/bin. */
  links: { path: string; target: string }[];
  /** Files and folders of /etc bound read-only. */
  etc: string[];
}

const TOP = ["/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32", "/lib.usr-is-merged"];

/**
 * Harmless and needed by programs: linking, names of services, certificates to trust, time, shells' defaults, and
 * Debian's alternatives, through which many commands of /usr/bin are found. Nothing that names users' secrets.
 */
const ETC = [
  "alternatives",
  "ca-certificates",
  "crypto-policies",
  "gai.conf",
  "host.conf",
  "inputrc",
  "ld.so.cache",
  "ld.so.conf",
  "ld.so.conf.d",
  "localtime",
  "mime.types",
  "os-release",
  "pki/ca-trust",
  "pki/tls/certs",
  "profile",
  "protocols",
  "services",
  "ssl/certs",
  "ssl/openssl.cnf",
  "terminfo",
  "timezone",
];

export function findSystemFiles(): SystemFiles {
  const folders: string[] = [];
  const links: { path: string; target: string }[] = [];
  for (const path of TOP) {
    const stat = lstatSync(path, { throwIfNoEntry: false });
    if (stat?.isSymbolicLink()) links.push({ path, target: readlinkSync(path) });
    else if (stat?.isDirectory()) folders.push(path);
  }
  return { folders, links, etc: ETC.map((name) => `/etc/${name}`).filter((path) => existsSync(path)) };
}

/** Files that are written anew for each container. */
export function etcFiles(uid: number, gid: number, hostname: string): Record<string, string> {
  const users = [
    "root:x:0:0:root:/root:/bin/sh",
    "daemon:x:1:1:daemon:/usr/sbin:/usr/sbin/nologin",
    "istio-proxy:x:1337:1337:istio-proxy:/:/usr/sbin/nologin",
    "nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin",
  ];
  const groups = ["root:x:0:", "daemon:x:1:", "tty:x:5:", "istio-proxy:x:1337:", "nogroup:x:65534:"];
  if (!users.some((line) => line.split(":")[2] === String(uid))) users.push(`app:x:${uid}:${gid}:app:/:/bin/sh`);
  if (!groups.some((line) => line.split(":")[2] === String(gid))) groups.push(`app:x:${gid}:`);
  return {
    "/etc/passwd": `${users.join("\n")}\n`,
    "/etc/group": `${groups.join("\n")}\n`,
    "/etc/nsswitch.conf": "passwd: files\ngroup: files\nshadow: files\nhosts: files dns\nnetworks: files\nprotocols: files\nservices: files\n",
    "/etc/hostname": `${hostname}\n`,
    // The node agent binds its own over these two.
    "/etc/hosts": `127.0.0.1\tlocalhost\n127.0.0.1\t${hostname}\n`,
    "/etc/resolv.conf": "",
  };
}

/** Devices that a container gets, as containerd's default set. */
export function deviceNodes(): string[] {
  const wanted = ["null", "zero", "full", "random", "urandom", "tty"];
  const present = new Set(readdirSync("/dev"));
  return wanted.filter((name) => present.has(name));
}
