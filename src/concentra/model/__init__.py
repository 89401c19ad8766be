"""Values that the stages exchange: frozen, complete, and without behaviour beyond their own arithmetic.

`axes` is the vocabulary, `provenance` says where facts came from, `population` holds what was seen,
`audit` holds what was measured of it, `documents` writes such values as TOML.
"""
