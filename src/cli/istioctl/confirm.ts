import { createInterface } from "node:readline";

/** Asks until somebody says yes or no; the end of the input is a no. */
export async function confirm(question: string, write: (text: string) => void): Promise<boolean> {
  const lines = createInterface({ input: process.stdin });
  try {
    write(`${question} `);
    for await (const line of lines) {
      const answer = line.trim().toUpperCase();
      if (answer === "Y" || answer === "YES") return true;
      if (answer === "N" || answer === "NO" || answer === "") return false;
      write(`${question} `);
    }
    return false;
  } finally {
    lines.close();
  }
}
