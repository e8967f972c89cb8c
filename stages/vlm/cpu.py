"""What makes a small model train fast on a CPU: one thread, an allocator that keeps its pages, lean attention."""

from __future__ import annotations

import ctypes
import ctypes.util
import functools
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


def _lean_attention(module: Any, query: Any, key: Any, value: Any, attention_mask: Any, scaling: float, dropout: float = 0.0, **_: Any) -> Any:
    """Scaled dot-product attention with an additive mask; query, key, value (rows, heads, length, width)."""
    # Rotary positions leave queries and keys in float32 under autocast; its casts do not reach a backward pass written here.
    out = attention_function().apply((query * scaling).to(value.dtype), key.to(value.dtype), value, attention_mask)
    return out.transpose(1, 2).contiguous(), None


@functools.cache
def attention_function() -> Any:
    """Attention as one autograd function, with the backward pass of Dao et al. (2022): softmax's own is the slowest kernel of all.

    ``apply(query, key, value, mask)``: query already scaled, mask additive or None and without gradient.
    """
    import torch

    class Attention(torch.autograd.Function):
        @staticmethod
        def forward(ctx: Any, query: Any, key: Any, value: Any, mask: Any) -> Any:
            scores = torch.matmul(query, key.transpose(-1, -2))
            if mask is not None:
                scores += mask.to(scores.dtype)
            weights = scores.softmax(dim=-1)
            out = torch.matmul(weights, value)
            ctx.save_for_backward(query, key, value, weights, out)
            return out

        @staticmethod
        def backward(ctx: Any, *grads: Any) -> Any:
            query, key, value, weights, out = ctx.saved_tensors
            (grad,) = grads
            # The sum over a row of (gradient of the weights * weights) equals that of (gradient of out * out).
            along = (grad.float() * out.float()).sum(dim=-1, keepdim=True).to(grad.dtype)
            grad_scores = torch.matmul(grad, value.transpose(-1, -2)).sub_(along).mul_(weights)
            grad_value = torch.matmul(weights.transpose(-1, -2), grad)
            return torch.matmul(grad_scores, key), torch.matmul(grad_scores.transpose(-1, -2), query), grad_value, None

    return Attention
