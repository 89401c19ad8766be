"""Ethereum's network formats: bytes into values and back, without I/O.

Nothing here opens a socket, waits or reads a clock. Whatever bytes a stranger sends, a decoder
returns a valid value or raises `concentra.wire.errors.WireError`, and nothing else. Length is
checked before content, and size and depth are bounded.

================  ==============================================================================
errors            `WireError`, and how text from a stranger is quoted in a message
rlp               recursive length prefix: the one canonical form
rlp_fields        the fields of a decoded list
rlp_items         lists taken apart while their items stay encoded
keccak            the hash
identity          the "v4" identity scheme: secp256k1 keys, signatures, node IDs
bounds            maps that forget: what strangers can cost us

enr               signed node records (EIP-778)
record_entries    what records say beyond that: forks, subnets, client
record_cache      records that were decoded before, found again by their bytes
enode             ``enode://`` URLs
fork_id           fork IDs of the execution layer (EIP-2124, EIP-6122)
fork_digest       fork digests of the consensus layer

kademlia          distances between nodes, and the table with which our side answers
lookup_targets    what to look for so that a discv4 node tells one bucket of its table
discv4            packets of discv4: hash, signature, kind
discv4_messages   its six messages as values
discv4_payloads   the same as RLP

discv5_packets    packets of discv5.1: a masked header and a sealed message
discv5_messages   its messages
discv5_crypto     masks, key agreement, identity proofs, sealing
discv5_handshake  how a challenge is answered, and how an answer is verified
discv5_link       the keys that two nodes share at one endpoint
discv5_session    from a first packet that nobody can read to messages under common keys
discv5_events     what a datagram meant
discv5_answers    what a node answers to requests

dnsdisc           node lists in DNS (EIP-1459): URL, root, entries
dnsdisc_walk      which names to ask for next, and what became of each

ecies             what RLPx seals to a public key
rlpx_handshake    auth and ack (EIP-8)
rlpx_frames       frames under the keys that these agree on
rlpx_channel      one connection: bytes in, messages out
devp2p            Hello, Disconnect, Ping and Pong; Snappy
eth_status        the Status of ``eth``, its old and its new layout
rlpx_session      a short visit to one node: Hello, Status, good-bye
================  ==============================================================================
"""
