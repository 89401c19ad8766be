// `count` nodes of @chainsafe/discv5. Each knows the `known` nodes that come after it, in a circle.
//
// `eth2`: the entry of that name in their records (fork digest, next fork's version and epoch), in hexadecimal.
// `elsewhere`: the first node also tells of a node at this address.

import { Discv5 } from "@chainsafe/discv5";
import { SignableENR } from "@chainsafe/enr";
import { multiaddr } from "@multiformats/multiaddr";

import { answer, key, say, wish } from "./peer.mjs";

const { count = 1, known = 17, eth2, elsewhere } = wish;
const REQUESTS = { 1: "ping", 3: "findnode", 5: "talkreq" };

const nodes = [];
for (let number = 0; number < count; number += 1) {
  const raw = key(`discv5 ${number}`);
  const enr = SignableENR.createV4(raw);
  const discv5 = Discv5.create({
    enr,
    privateKey: { type: "secp256k1", raw },
    bindAddrs: { ip4: multiaddr("/ip4/127.0.0.1/udp/0") },
  });
  await discv5.start();
  enr.ip = "127.0.0.1";
  enr.udp = discv5.sessionService.transport.ip4.socket.address().port;
  const early = enr.encodeTxt();
  if (eth2 !== undefined) enr.set("eth2", new Uint8Array(Buffer.from(eth2, "hex")));
  nodes.push({ discv5, enr, early });
}
nodes.forEach(({ discv5 }, number) => {
  for (let step = 1; step <= Math.min(known, count - 1); step += 1) {
    discv5.addEnr(nodes[(number + step) % count].enr.toENR());
  }
});
if (elsewhere !== undefined) {
  const enr = SignableENR.createV4(key("elsewhere"));
  enr.ip = elsewhere;
  enr.udp = 9000;
  nodes[0].discv5.addEnr(enr.toENR());
}

const ours = new Set(nodes.map(({ enr }) => enr.nodeId));
const heard = nodes.map(() => ({ ping: 0, findnode: 0, talkreq: 0 }));
nodes.forEach(({ discv5 }, number) => {
  discv5.sessionService.on("request", ({ nodeId }, { type }) => {
    if (ours.has(nodeId)) return;
    heard[number][REQUESTS[type]] += 1;
    if (heard[number].findnode === 1 && REQUESTS[type] === "findnode") say("asked", { node: number });
  });
});

answer({
  heard: () => ({ heard }),
});
say("listening", {
  // `early` is a record that each had before this one: of a lower sequence number, and without `eth2`.
  nodes: nodes.map(({ enr, early }) => ({ record: enr.encodeTxt(), early })),
});
