// Loaded before every peer: it reaches nothing but this machine, and does not outlive the tests.
//
// Some peers have no option for where they listen (@ethereumjs/client: 0.0.0.0) or ask the world for more
// nodes. So the calls that they make in the end are bound to loopback here, whatever library made them.

import dgram from "node:dgram";
import net from "node:net";

const LIFE_S = Number(process.env.CONCENTRA_PEER_LIFE_S ?? 120);
const LOOPBACK = "127.0.0.1";
const ANYWHERE = new Set([undefined, null, "", "0.0.0.0", "::"]);
const HERE = /^(127\.\d+\.\d+\.\d+|::1|::ffff:127\.\d+\.\d+\.\d+|localhost)$/;

function confined(host) {
  if (ANYWHERE.has(host)) return LOOPBACK;
  if (HERE.test(host)) return host;
  throw new Error(`${host} is not on this machine`);
}

const { bind, send } = dgram.Socket.prototype;
const { connect } = net.Socket.prototype;
const { listen } = net.Server.prototype;

dgram.Socket.prototype.bind = function (port, address, ...rest) {
  if (typeof port === "object" && port !== null) {
    return bind.call(this, { ...port, address: confined(port.address) }, address, ...rest);
  }
  if (typeof address === "function") return bind.call(this, port, LOOPBACK, address);
  return bind.call(this, port, confined(address), ...rest);
};

// socket.send(message[, offset, length][, port][, address][, callback])
dgram.Socket.prototype.send = function (message, ...rest) {
  const at = rest.findIndex((value) => typeof value === "string");
  if (at >= 0) rest[at] = confined(rest[at]);
  return send.call(this, message, ...rest);
};

net.Socket.prototype.connect = function (...given) {
  const [first] = Array.isArray(given[0]) ? given[0] : given; // net.connect() passes what it has parsed
  if (typeof first === "object") {
    if (first.path === undefined) first.host = confined(first.host);
  } else if (typeof given[1] === "string") {
    given[1] = confined(given[1]);
  }
  return connect.apply(this, given);
};

net.Server.prototype.listen = function (port, host, ...rest) {
  if (typeof port === "object" && port !== null) {
    return listen.call(this, { ...port, host: confined(port.host) }, host, ...rest);
  }
  if (typeof host === "string") return listen.call(this, port, confined(host), ...rest);
  return listen.call(this, port, LOOPBACK, host, ...rest);
};

// Whoever started this process holds the other end of its standard input, which the system closes in any
// case: so the process ends even if its starter was killed.
process.stdin.on("end", () => process.exit(0)).resume();
setTimeout(() => {
  console.error(`ended after ${LIFE_S} s`);
  process.exit(4);
}, LIFE_S * 1000).unref();
