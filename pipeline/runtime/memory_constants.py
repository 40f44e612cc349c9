"""What was measured of the memory that a job takes beyond its own buffers.

All factors and allowances with which a plan projects a peak.

What stands elsewhere: `resources.GDAL_CACHE` and `resources.ROOM`, which a process is held to; `DECODED_PX` of
`geometry.read_sharing`, whose room imports none above it; and shares of the budget in `planning.search`, which choose
between plans and estimate nothing.
"""

from __future__ import annotations

from pipeline.runtime.resources import MIB

ACTIVATION_FACTOR = 2.2
"""Peak resident bytes per byte of live tensors: fragmentation and scratch buffers. On CPU 1.15–1.8 measured, the most
where tiles have several sizes, and
2.02 where single tensors are as large as half of all."""
MIN_ACTIVATION_FACTOR = 1.2
"""The same where nothing is lost between tensors."""
SHARED_FACTOR = 1.75
"""`ACTIVATION_FACTOR` for very many tiles at once: what one of them does not hold at a time others make use of. 1.85
measured of four whose memory is 0.77
full on average, beside its peak."""
FULLNESS_KNEE = 0.6
"""Mean fullness of a network's memory below which `SHARED_FACTOR` shrinks: up to 1.55 measured of four tiles at once at
0.56."""
FULLNESS_SLOPE = 2.0
"""By how much `SHARED_FACTOR` shrinks per unit of mean fullness below `FULLNESS_KNEE`."""
MIN_FRAGMENTATION = 1.4
"""What `SHARED_FACTOR` shrinks to at least. 1.2–1.3 measured of four tiles at once at a fullness of 0.43."""
PAGE_LOCKED_FACTOR = 4
"""Page-locked bytes per byte that is carried: torch rounds them up to powers of two, and keeps what it had for blocks
of other sizes."""
ENCODING_FACTOR = 3
"""Bytes that a block in flight holds per byte of its layers: the layers, and what their encoding takes.

An allowance, which nobody measured.
"""
DECODING_BYTES = 16
"""Bytes per pixel of a tile that decoding holds beside the logits. An allowance, which nobody measured."""
COUNTED_FACTOR = 1.1
"""Resident bytes of an image per byte that was counted, while a network is measured."""
DATASET_COPIES = 2
"""An open file of a mosaic holds its last block decoded and compressed: 3.7 MiB measured for a block of 2 MiB."""

RUN_GROWTH = 160 * MIB
"""What libraries grow by once a run is on its way: threads and their heaps, the scheduler, codecs, what freed tensors
leave behind."""
COMPILER_BYTES = 512 * MIB
"""What torch's compiler holds, and the C++ compiler that it calls."""
CONVERSION_BYTES = 96 * MIB
"""What is left of following a network's code and of converting it for a runtime: 16–60 MiB measured."""
RUNTIME_FACTOR = 1.3
"""Resident bytes of a tile in a runtime per byte that was measured of a small image in a process of its own. An
allowance for edges of tiles and for pages that lie between."""
NANNY_BYTES = 192 * MIB
"""Bytes of the process that starts the workers of a job of SLURM, and starts them again."""
SCHEDULER_GROWTH = 64 * MIB
"""Bytes that the process which hands out blocks grows by."""
FORK_SERVER_BYTES = 320 * MIB
"""Bytes of the process that imports what workers need, and forks them."""
OTHER_PROCESS = 160 * MIB
"""Resident bytes of the process that runs a graph outside of torch, to measure what it takes."""
GRAPHS_BYTES = 256 * MIB
"""Weights of all graphs of OpenVINO that are kept beyond those of a row of tiles: each graph has its own."""
JOB_MEMORY_SHARE = 0.9
"""Share of a job's memory that ``auto`` takes: batch systems count what the shell and the kernel hold as well."""

PROPOSAL_MARGIN = 16 * MIB
"""Added to what a refusal proposes: the same libraries take some MiB more or less each time that a process starts."""
NEED_MARGIN = 2
"""Factor on the need of an image that a refusal proposes: images that follow may be larger."""
MIN_PROPOSAL = 64 * MIB
"""What a refusal to measure proposes at the least beyond what the process takes."""
