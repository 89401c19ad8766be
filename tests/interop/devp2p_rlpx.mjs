// One node of @ethereumjs/devp2p that is found over discv4 and greeted over RLPx: it speaks eth/68, sends its
// Status at once, and says with which reason it was left.
//
// `genesis`, `chainId`, `block_fork`, `time_fork`: its chain. It is past the first fork and knows the second.
// `maxPeers`: 0 is a node that has no room for anybody.

import dgram from "node:dgram";

import { createCustomCommon, Mainnet } from "@ethereumjs/common";
import { DPT, ETH, RLPx } from "@ethereumjs/devp2p";

import { answer, bound, hex, key, say, wish } from "./peer.mjs";

const { chainId, blockFork, timeFork, maxPeers = 10 } = wish;
const genesis = new Uint8Array(Buffer.from(wish.genesis, "hex"));

const common = createCustomCommon(
  {
    chainId,
    hardforks: [
      { name: "chainstart", block: 0 },
      { name: "homestead", block: blockFork },
      { name: "shanghai", block: null, timestamp: String(timeFork) },
    ],
  },
  Mainnet,
  { hardfork: "homestead" },
);
common.setForkHashes(genesis);

const secret = key("rlpx");
const rlpx = new RLPx(secret, {
  maxPeers,
  common,
  capabilities: [ETH.eth67, ETH.eth68],
  clientId: new TextEncoder().encode("interop-peer/v1.0/linux/node"),
});
rlpx.events.on("peer:added", (peer) => {
  const hello = peer.getHelloMessage();
  say("greeted", {
    client: hello.clientId,
    capabilities: hello.capabilities.map(({ name, version }) => `${name}/${version}`),
  });
  const [eth] = peer.getProtocols();
  eth.sendStatus({ td: Uint8Array.of(1), bestHash: genesis, genesisHash: genesis });
});
rlpx.events.on("peer:removed", (peer, reason, byUs) => say("left", { reason, byUs }));
rlpx.events.on("peer:error", (peer, error) => say("error", { what: error.message }));
rlpx.listen(0, "127.0.0.1");
await new Promise((resolve) => rlpx.events.once("listening", resolve));
const tcpPort = rlpx._server.address().port;

const socket = dgram.createSocket("udp4");
const udpPort = await bound(socket);
const dpt = new DPT(secret, {
  createSocket: () => socket,
  endpoint: { address: "127.0.0.1", udpPort, tcpPort },
});
dpt.events.on("error", () => {});

answer({});
say("listening", { id: hex(rlpx.id), udpPort, tcpPort });
