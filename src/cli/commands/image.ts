import { Command } from "commander";
import { chainmailHome } from "../home.ts";
import { catalogue } from "../images.ts";
import { buildPrograms } from "../programs.ts";

export function imageCommand(): Command {
  const command = new Command("image").description("images that pods can name");
  command
    .command("list", { isDefault: true })
    .description("list what the embedded cluster can run")
    .action(async () => {
      const { folder } = await buildPrograms(chainmailHome());
      for (const image of catalogue(folder).list()) process.stdout.write(`${image.repository}\n`);
    });
  return command;
}
