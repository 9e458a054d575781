import type { Handler } from "../serve.ts";

/** `/hello` tells which version answers, and of which instance; it takes some work to do so, for what scales by CPU. */
export function createHelloworld(version: string, instance: string): Handler {
  return (request) => {
    const { pathname } = new URL(request.url);
    if (pathname === "/health") return new Response("Helloworld is healthy");
    if (pathname !== "/hello") return new Response("Not Found\n", { status: 404 });
    work();
    return new Response(`Hello version: ${version}, instance: ${instance}\n`);
  };
}

/** Some milliseconds of one core. */
const ROUNDS = 1_000_000;

function work(): number {
  let sum = 0.0001;
  for (let round = 0; round < ROUNDS; round++) sum += Math.sqrt(sum);
  return sum;
}
