"""Compile the Triton kernels for a card that is not there: ``python -m tests.nn.compile_kernels 90``; prints JSON."""

from __future__ import annotations

import json
import sys
from typing import Any

import torch
import triton
from triton.backends.compiler import GPUTarget
from triton.compiler import ASTSource

from nn_experiments.engine import implicit
from nn_experiments.engine.convolutions import ConvolutionShape

SHAPE = ConvolutionShape(8, 64, 64, (32, 32), (3, 3), (2, 2), (1, 1))


def compiled(kernel: Any, options: dict[str, Any], capability: int, kind: str) -> dict[str, Any]:
    """Return what became of a kernel: shared memory, and the instruction that its products are done with."""
    launch = {name: options.pop(name) for name in ("num_warps", "num_stages")}
    pointers = ("source", "weight", "gradient", "out")
    signature = {
        name: "constexpr" if name in options else f"*{kind}" if name in pointers else "i32" for name in kernel.arg_names
    }
    constants = {(kernel.arg_names.index(name),): value for name, value in options.items()}
    source = ASTSource(fn=kernel, signature=signature, constexprs=constants)
    made = triton.compile(source, target=GPUTarget("cuda", capability, 32), options=launch)
    code = made.asm["ptx"]
    instruction = "wgmma" if "wgmma" in code else "mma" if "mma.sync" in code else "none"
    return {"bytes shared": made.metadata.shared, "instruction": instruction}


def main() -> None:
    """Compile the three kernels for TF32 in tiles of 64 and for bfloat16 in tiles of 128."""
    capability, rows = int(sys.argv[1]), []
    torch.backends.cudnn.allow_tf32 = True
    for kind, dtype, tile in (("fp32", torch.float32, "implicit-64"), ("bf16", torch.bfloat16, "implicit-128")):
        options = implicit._options(SHAPE, implicit.TILES[tile], dtype)
        kernels = (
            ("outputs", implicit._images_kernel, {"TURNED": False}),
            ("images", implicit._images_kernel, {"TURNED": True}),
            ("weights", implicit._weights_kernel, {}),
        )
        for name, kernel, more in kernels:
            rows.append({"kernel": name, "kind": kind} | compiled(kernel, options | more, capability, kind))
    print(json.dumps(rows))


if __name__ == "__main__":
    main()
