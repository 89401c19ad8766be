"""What people say of a network, against what was counted; arithmetic and words only, no I/O.

A claim comes from a sentence (`grammar`) or a file (`claim_files`). Each of its atoms is read in every
sensible way, and each reading has a figure with exact bounds (`figures`), a set of figures that make it
true (`accept_sets`) and a verdict (`verdicts`). `separation` finds the choices that decide between them.
"""
