// Whole execution clients (@ethereumjs/client) on a chain of their own, each a peer of every other. They say
// that they listen once all of them are connected.
//
// `directory`: for what they keep.  `ports`: of each, for discovery and RLPx.  `rpcPorts`: of each, JSON-RPC.
// `chainId`, `genesisTime`, `shanghaiTime`: the chain; all forks before Shanghai hold from its start.

import { spawn } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { fileURLToPath } from "node:url";

import { answer, say, wish } from "./peer.mjs";

const { directory, ports, rpcPorts, chainId, genesisTime, shanghaiTime } = wish;
const confined = new URL("confined.mjs", import.meta.url).href;
const client = fileURLToPath(import.meta.resolve("@ethereumjs/client"));

const FROM_THE_START =
  "homestead eip150 eip155 eip158 byzantium constantinople petersburg istanbul berlin london".split(" ");
const genesis = join(directory, "genesis.json");
writeFileSync(genesis, JSON.stringify({
  config: {
    chainId,
    ...Object.fromEntries(FROM_THE_START.map((fork) => [`${fork}Block`, 0])),
    terminalTotalDifficulty: 0,
    terminalTotalDifficultyPassed: true,
    shanghaiTime,
  },
  alloc: {},
  baseFeePerGas: "0x3b9aca00",
  coinbase: `0x${"00".repeat(20)}`,
  difficulty: "0x0",
  extraData: "0x",
  gasLimit: "0x1c9c380",
  gasUsed: "0x0",
  mixHash: `0x${"00".repeat(32)}`,
  nonce: "0x0",
  number: "0x0",
  parentHash: `0x${"00".repeat(32)}`,
  timestamp: `0x${genesisTime.toString(16)}`,
}));

async function rpc(number, method, ...params) {
  const response = await fetch(`http://127.0.0.1:${rpcPorts[number]}`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ jsonrpc: "2.0", id: 1, method, params }),
  });
  return (await response.json()).result;
}

async function until(condition) {
  for (;;) {
    try {
      const found = await condition();
      if (found) return found;
    } catch (error) {
      if (error.cause?.code !== "ECONNREFUSED") throw error; // it is not up yet
    }
    await pause(50);
  }
}

const children = [];
process.on("exit", () => children.forEach((child) => child.kill("SIGKILL")));

const clients = [];
for (const [number, port] of ports.entries()) {
  const arguments_ = [
    "--import", confined, client,
    "--gethGenesis", genesis,
    "--dataDir", join(directory, `client-${number}`),
    "--port", port, "--extIP", "127.0.0.1",
    "--rpc", "--rpcPort", rpcPorts[number], "--rpcAddr", "127.0.0.1",
    "--discDns=false", "--logRotate=false", "--logFile", join(directory, `client-${number}.log`),
    ...clients.flatMap(({ enode }) => ["--bootnodes", enode]),
  ];
  // Their standard input is a pipe of ours, so that they end when we do.
  const child = spawn(process.execPath, arguments_, { cwd: directory, stdio: ["pipe", 2, 2] });
  child.on("exit", (code) => {
    console.error(`client ${number} ended with ${code}`);
    process.exit(5);
  });
  children.push(child);
  const { id, enode, protocols } = await until(() => rpc(number, "admin_nodeInfo"));
  clients.push({ id, enode, genesis: protocols.eth.genesis, rpc: `http://127.0.0.1:${rpcPorts[number]}` });
}
await until(async () => {
  const peers = await Promise.all(clients.map((_, number) => rpc(number, "admin_peers")));
  return peers.every((of) => of.length === clients.length - 1);
});

answer({});
say("listening", { clients });
