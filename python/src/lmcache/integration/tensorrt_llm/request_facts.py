# lmcache · SPDX-License-Identifier: Apache-2.0
"""What of an engine's request decides which cache it may share."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any

from lmcache.integration.vllm.settings import is_usable_salt

_NOT_TOKENS = (
    "prompt_embedding_table",
    "multimodal_embedding",
    "multimodal_hashes",
    "mrope_rotary_cos_sin",
    "py_multimodal_data",
    "encoder_tokens",
)


@dataclass(frozen=True, slots=True)
class RequestFacts:
    """The prompt and the salt that separates it from others."""

    tokens: list[int]
    salt: str


def facts_of(request: Any) -> RequestFacts | None:
    """The facts of a request; none when its tokens do not say what its blocks hold, so that it must not be cached.

    Images and embeddings stand behind tokens that look alike, and the number of a LoRA adapter is another one's in
    another engine.
    """
    if _read(request, "is_dummy_request") or any(_read(request, name) is not None for name in _NOT_TOKENS):
        return None
    salt = _salt(request)
    if _read(request, "lora_task_id") is not None:
        path = _read(request, "py_lora_path")
        if not path:
            return None
        salt = hashlib.sha256(f"{salt}\0lora:{path}".encode()).hexdigest()
    elif not is_usable_salt(salt):
        salt = hashlib.sha256(salt.encode()).hexdigest()
    return RequestFacts(list(request.get_tokens(0)), salt)


def _salt(request: Any) -> str:
    salt = _read(request, "cache_salt")
    if salt is not None:
        return str(salt)
    number = _read(request, "cache_salt_id")
    return "" if number is None else f"id:{number}"


def _read(request: Any, name: str) -> Any:
    try:
        return getattr(request, name, None)
    except Exception:
        # A value that the binding cannot hand over is there all the same.
        return True
