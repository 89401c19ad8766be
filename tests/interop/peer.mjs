// What the scripts of all peers share: they are given one JSON object as their argument, print one JSON
// object a line, and answer those that are written to them, one a line: {"ask": name} → {"event": name, …}.

import { createHash } from "node:crypto";
import { once } from "node:events";
import readline from "node:readline";

export const wish = JSON.parse(process.argv[2] ?? "{}");

export function say(event, facts = {}) {
  process.stdout.write(`${JSON.stringify({ event, ...facts })}\n`);
}

export function answer(questions) {
  readline.createInterface({ input: process.stdin }).on("line", async (line) => {
    const { ask, ...rest } = JSON.parse(line);
    say(ask, await questions[ask](rest));
  });
}

// A private key that is the same each time, so that tables fill up in the same way each time.
export function key(name) {
  return new Uint8Array(createHash("sha256").update(`interop ${name}`).digest());
}

export function hex(bytes) {
  return Buffer.from(bytes).toString("hex");
}

export async function bound(socket) {
  socket.bind(0, "127.0.0.1");
  await once(socket, "listening");
  return socket.address().port;
}
