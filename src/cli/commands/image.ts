import { Command } from "commander";
import { ChainmailError, errorText } from "../../base/index.ts";
import { ImageStore, loadImages, shortName, type StoredImage } from "../../cluster/images/index.ts";
import { chainmailHome } from "../home.ts";
import { catalogue, imagesFolder } from "../images.ts";
import { tabwriter } from "../istioctl/format/tabwriter.ts";
import { defineImage, type OwnImageOptions } from "../own-images.ts";
import { PROJECT_ROOT, buildPrograms } from "../programs.ts";

/** More than most images have, less than what fills a laptop's disk by surprise. */
const DEFAULT_MAX_SIZE = "20Gi";

const say = (text: string) => void process.stdout.write(`${text}\n`);
const collect = (value: string, before: string[]) => [...before, value];

export function imageCommand(): Command {
  const command = new Command("image").description("images that pods can name: Chainmail's, and your own");
  command
    .command("list", { isDefault: true })
    .description("list what pods can run")
    .option("-q, --quiet", "names only")
    .option("-o, --output <format>", "json")
    .action(list);
  command
    .command("load <archive>")
    .description("take in an archive of docker save, podman save or an OCI layout; - reads it from standard input")
    .option("--name <name>", "instead of the names in the archive")
    .option("--max-size <size>", "refuse an image that unpacks to more", DEFAULT_MAX_SIZE)
    .action(load);
  command
    .command("add <name>")
    .description("make an image out of a program or a folder of this machine")
    .option("--exec <command>", 'what it runs, such as "node server.js"')
    .option("--cwd <folder>", "the program's working folder, which its pods see as /app; with --rootfs a path in there")
    .option("--writable", "let pods write into that folder", false)
    .option("--rootfs <folder>", "the image's root file system; pods' changes to it stay with them")
    .option("--env <NAME=value>", "a variable (may be given again)", collect, [])
    .option("--user <user>", "uid[:gid], or a name of the root file system's /etc/passwd")
    .option("--port <port>", "a port that it serves (may be given again)", collect, [])
    .option("--mount <host:path[:rw]>", "a further file or folder (may be given again)", collect, [])
    .action(add);
  command.command("remove <name...>").alias("rm").description("take images of your own off the list").action(remove);
  command.command("prune").description("delete the files of images that are no longer on the list").action(prune);
  return command;
}

async function list(options: { quiet?: boolean; output?: string }): Promise<void> {
  const home = chainmailHome();
  const own = new ImageStore(imagesFolder(home)).list();
  if (options.output === "json") return say(JSON.stringify(own, null, 2));
  const { folder } = await buildPrograms(home);
  const brought = catalogue(folder)
    .list()
    .map((image) => image.repository);
  if (options.quiet) return [...own.map((image) => shortName(image.name)), ...brought].forEach(say);
  const rows = own.map((image) => [
    shortName(image.name),
    image.digest.slice(7, 19),
    describe(image),
    image.sizeBytes === 0 ? "-" : formatSize(image.sizeBytes),
    image.loadedAt.slice(0, 16).replace("T", " "),
  ]);
  process.stdout.write(
    tabwriter([["IMAGE", "ID", "RUNS", "SIZE", "ADDED"], ...rows, ...brought.map((name) => [name, "-", "comes with Chainmail", "-", "-"])], 3),
  );
}

async function load(archive: string, options: { name?: string; maxSize: string }): Promise<void> {
  const maxBytes = parseSize(options.maxSize);
  if (maxBytes === undefined) throw new ChainmailError("SIZE_INVALID", `"${options.maxSize}" is no size: write 500Mi or 20Gi`);
  const store = new ImageStore(imagesFolder(chainmailHome()));
  const images = await loadImages(store, archive, Bun.stdin.stream(), {
    ...(options.name === undefined ? {} : { name: options.name }),
    maxBytes,
    onLayer: ({ index, count, known }) => void process.stderr.write(`layer ${index + 1} of ${count}${known ? ": here already" : ""}\n`),
  });
  for (const image of images) say(`loaded ${shortName(image.name)} (${image.digest.slice(7, 19)}, ${formatSize(image.sizeBytes)})`);
}

async function add(name: string, options: OwnImageOptions): Promise<void> {
  const home = chainmailHome();
  const definition = defineImage(options, { cwd: process.cwd(), path: process.env.PATH ?? "", secret: [home], readOnly: [PROJECT_ROOT] });
  const image = await new ImageStore(imagesFolder(home)).add({ name, ...definition });
  say(`added ${shortName(image.name)}: ${describe(image)}`);
}

async function remove(names: string[]): Promise<void> {
  const store = new ImageStore(imagesFolder(chainmailHome()));
  let failure: unknown;
  for (const name of names) {
    try {
      say(`removed ${shortName((await store.remove(name)).name)}`);
    } catch (thrown) {
      // The others are removed all the same.
      if (failure !== undefined) process.stderr.write(`Error: ${errorText(failure)}\n`);
      failure = thrown;
    }
  }
  if (failure !== undefined) throw failure;
  say("the files go with: chainmail image prune");
}

async function prune(): Promise<void> {
  const { layers, roots, bytes } = await new ImageStore(imagesFolder(chainmailHome())).prune();
  say(`deleted ${layers} ${layers === 1 ? "layer" : "layers"} and ${roots} ${roots === 1 ? "root" : "roots"}, ${formatSize(bytes)}`);
}

function describe({ files, config, mounts }: StoredImage): string {
  const command = [...config.entrypoint, ...config.cmd].join(" ");
  if (files.kind === "archive") return `${command || "(no command)"}`;
  if (files.kind === "folder") return `${command || "(no command)"} on ${files.folder}`;
  const cwd = mounts.find((mount) => mount.containerPath === config.workingDir);
  return cwd ? `${command} in ${cwd.hostPath}` : command;
}

/** Bytes of `500Mi`, `20Gi`, `1G`; undefined for what is no size. */
function parseSize(text: string): number | undefined {
  const match = /^(\d+(?:\.\d+)?)(?:([KMGT])(i)?)?$/.exec(text);
  if (!match) return undefined;
  const [, number, unit, binary] = match;
  return Number(number) * (binary ? 1024 : 1000) ** (unit ? "KMGT".indexOf(unit) + 1 : 0);
}

function formatSize(bytes: number): string {
  if (bytes < 1024 * 1024) return `${(bytes / 1024).toFixed(1)} KiB`;
  return bytes < 1024 ** 3 ? `${(bytes / 1024 ** 2).toFixed(1)} MiB` : `${(bytes / 1024 ** 3).toFixed(2)} GiB`;
}
