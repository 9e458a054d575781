/** Codes with their weights, as in `/status/200:0.9,503:0.1`; undefined when they cannot be read. */
export function pickStatus(text: string, random: () => number): number | undefined {
  const choices = text.split(",").map((choice) => {
    const [code = "", weight = "1"] = choice.split(":");
    return { code: Number(code), weight: Number(weight) };
  });
  if (choices.some(({ code, weight }) => !Number.isInteger(code) || code < 200 || code > 599 || !(weight > 0))) return undefined;
  let at = random() * choices.reduce((sum, { weight }) => sum + weight, 0);
  return choices.find(({ weight }) => (at -= weight) < 0)?.code ?? choices.at(-1)?.code;
}
