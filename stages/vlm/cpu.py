"""What makes a small model train fast on a CPU: one thread, an allocator that keeps its pages, lean attention."""

from __future__ import annotations

import ctypes
import ctypes.util
import sys
from typing import Any

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3
_KEEP_BYTES = 2**30


def use_one_core() -> None:
    """One thread for torch, and glibc told to keep freed memory.

    Several threads on shared cores wait for one another; and giving pages back to the kernel after every step
    costs a fifth of it in page faults. On other C libraries the second part does nothing.
    """
    import torch

    torch.set_num_threads(1)
    if sys.platform == "linux" and (name := ctypes.util.find_library("c")):
        library = ctypes.CDLL(name)
        if hasattr(library, "mallopt"):
            library.mallopt(_M_MMAP_THRESHOLD, _KEEP_BYTES)
            library.mallopt(_M_TRIM_THRESHOLD, _KEEP_BYTES * 2 - 1)


def use_lean_attention(model: Any) -> None:
    """Attention whose softmax stays in the precision of its inputs; eager attention casts it to float32 and back."""
    from transformers.modeling_utils import ALL_ATTENTION_FUNCTIONS

    ALL_ATTENTION_FUNCTIONS.register("lean", _lean_attention)
    model.set_attn_implementation("lean")


def _lean_attention(
    module: Any, query: Any, key: Any, value: Any, attention_mask: Any, scaling: float, dropout: float = 0.0, **_: Any
) -> Any:
    """Scaled dot-product attention with an additive mask; query, key, value (rows, heads, length, width)."""
    import torch

    scores = torch.matmul(query * scaling, key.transpose(-1, -2))
    if attention_mask is not None:
        scores = scores + attention_mask.to(scores.dtype)
    weights = scores.softmax(dim=-1)
    return torch.matmul(weights, value).transpose(1, 2).contiguous(), weights
