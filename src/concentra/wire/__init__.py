"""Ethereum's network formats: bytes into values and back, without I/O.

Nothing here opens a socket, waits or reads a clock. Whatever bytes a stranger sends, a decoder
returns a valid value or raises `concentra.wire.errors.WireError`, and nothing else. Length is
checked before content, and size and depth are bounded.

==========  ====================================================================================
errors      `WireError`, and how text from a stranger is quoted in a message
rlp         recursive length prefix: the one canonical form
keccak      the hash
identity    the "v4" identity scheme: secp256k1 keys, signatures, node IDs
enr         signed node records (EIP-778)
enode       ``enode://`` URLs
==========  ====================================================================================
"""
