// `count` nodes of @ethereumjs/devp2p that speak discv4. Each knows the `known` nodes that come after it,
// in a circle; that way somebody has to be asked to hear of most of them.
//
// `records`: they answer ENRRequest too (EIP-868), which the library cannot; the records are @chainsafe/enr's.
// `swapped`: the first one answers it with the record of the second.
// `refreshInterval`: in which every node that they know is asked once, in milliseconds.
// `elsewhere`: the first node also tells of a node at this address.
// `confirmed`: they tell of nobody but this node (a client tells only of those that it confirmed).

import dgram from "node:dgram";

import { SignableENR } from "@chainsafe/enr";
import { DPT } from "@ethereumjs/devp2p";
import { RLP } from "@ethereumjs/rlp";
import { keccak256 } from "ethereum-cryptography/keccak.js";
import { secp256k1 } from "ethereum-cryptography/secp256k1.js";

import { answer, bound, hex, key, say, wish } from "./peer.mjs";

const { count = 1, known = 20, records = false, swapped = false, refreshInterval, elsewhere, confirmed } = wish;
const KINDS = { 1: "ping", 2: "pong", 3: "findnode", 4: "neighbors", 5: "enrrequest" };
const KIND_AT = 97; // after hash, signature and recovery id
const ENR_RESPONSE = 6;

const nodes = [];
for (let number = 0; number < count; number += 1) {
  const socket = dgram.createSocket("udp4");
  const port = await bound(socket);
  const secret = key(`discv4 ${number}`);
  const endpoint = { address: "127.0.0.1", udpPort: port, tcpPort: port };
  const dpt = new DPT(secret, {
    createSocket: () => socket,
    endpoint,
    timeout: 1000,
    refreshInterval,
    onlyConfirmed: confirmed !== undefined,
  });
  // It is given pings to 0.0.0.0, which is what strangers call themselves, and forgives late answers.
  dpt.events.on("error", () => {});
  if (confirmed !== undefined) dpt.confirmPeer(confirmed);
  const record = SignableENR.createV4(secret);
  record.ip = "127.0.0.1";
  record.udp = port;
  nodes.push({ dpt, socket, secret, port, record, contact: { id: dpt.id, ...endpoint } });
}
nodes.forEach(({ dpt }, number) => {
  for (let step = 1; step <= Math.min(known, count - 1); step += 1) {
    dpt._kbucket.add(nodes[(number + step) % count].contact);
  }
});
if (elsewhere !== undefined) {
  const id = secp256k1.getPublicKey(key("elsewhere"), false).slice(1);
  nodes[0].dpt._kbucket.add({ id, address: elsewhere, udpPort: 30303, tcpPort: 30303 });
}

const ours = new Set(nodes.map(({ port }) => port));
const heard = nodes.map(() => ({ ping: 0, pong: 0, findnode: 0, neighbors: 0, enrrequest: 0 }));
const targets = nodes.map(() => new Set());
const requests = new Set();
nodes.forEach((node, number) => {
  const { socket, secret } = node;
  const { record } = nodes[swapped && number === 0 ? 1 : number];
  socket.prependListener("message", (packet, { address, port: from }) => {
    if (ours.has(from)) return;
    const kind = KINDS[packet[KIND_AT]];
    heard[number][kind] += 1;
    if (kind === "findnode") {
      const [target] = RLP.decode(packet.subarray(KIND_AT + 1));
      targets[number].add(hex(target));
      if (heard[number].findnode === 1) say("asked", { node: number });
    }
    if (kind === "enrrequest") {
      requests.add(hex(packet.subarray(0, 32)));
      if (records) socket.send(enrResponse(packet.subarray(0, 32), record, secret), from, address);
    }
  });
});

function enrResponse(request, record, secret) {
  const body = Buffer.concat([
    Buffer.from([ENR_RESPONSE]),
    RLP.encode([Uint8Array.from(request), RLP.decode(record.encode())]),
  ]);
  const signature = secp256k1.sign(keccak256(body), secret);
  const signed = Buffer.concat([signature.toCompactRawBytes(), Buffer.from([signature.recovery]), body]);
  return Buffer.concat([keccak256(signed), signed]);
}

answer({
  heard: () => ({
    heard,
    targets: targets.map((set) => set.size),
    requests: requests.size,
    tables: nodes.map(({ dpt }) => dpt.numPeers()),
  }),
});
say("listening", {
  nodes: nodes.map(({ dpt, port }) => ({ id: hex(dpt.id), port })),
});
