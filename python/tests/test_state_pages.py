# lmcache · SPDX-License-Identifier: Apache-2.0
"""Layers seen in blocks of the scheduler's size: every byte of a block, and none of another."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")

from lmcache.integration.vllm.state_pages import state_blocks, whole_blocks  # noqa: E402


@pytest.mark.parametrize("is_tokens_first", [False, True])
def test_states_in_padded_pages(is_tokens_first: bool) -> None:
    pool = torch.arange(4 * 160, dtype=torch.float32)
    states = pool.as_strided((4, 1, 1, 100), (160, 100, 100, 1))
    seen = state_blocks(states, 16, 640, is_tokens_first)
    assert seen.shape == ((4, 16, 1, 8) if is_tokens_first else (4, 1, 16, 8))
    for block in range(4):
        assert torch.equal(seen[block].flatten()[:100], states[block].flatten())
        assert seen[block].flatten()[-1] < 160 * (block + 1)


def test_parts_of_a_state_share_a_page() -> None:
    pool = torch.arange(3 * 64, dtype=torch.float32)
    first = pool.as_strided((3, 2, 10), (64, 10, 1))
    assert torch.equal(state_blocks(first, 8, 256, False).reshape(-1), pool)
    with pytest.raises(ValueError, match="a state takes 256 bytes of a page of 512"):
        state_blocks(first, 8, 512, False)


def test_state_that_does_not_fit_is_refused() -> None:
    states = torch.zeros(4, 1, 1, 100)
    with pytest.raises(ValueError, match="do not fit into 400 bytes"):
        state_blocks(states, 16, 400, False)


def test_small_pages_become_blocks() -> None:
    pages = torch.arange(12 * 2 * 4 * 8, dtype=torch.float32).view(12, 2, 4, 8)
    seen = whole_blocks(pages, 12, 3 * 2 * 4 * 8 * 4, False)
    assert seen.shape == (4, 1, 12, 16)
    assert all(torch.equal(seen[block].reshape(-1), pages[3 * block : 3 * block + 3].reshape(-1)) for block in range(4))
    permuted = pages.permute(0, 2, 1, 3).contiguous().permute(0, 2, 1, 3)
    assert whole_blocks(permuted, 12, 3 * 2 * 4 * 8 * 4, True).shape == (4, 12, 1, 16)
    with pytest.raises(ValueError, match="do not make blocks"):
        whole_blocks(pages, 12, 5 * 2 * 4 * 8 * 4, False)
    with pytest.raises(ValueError, match="not one page after another"):
        whole_blocks(pages.transpose(0, 1), 12, 3 * 2 * 4 * 8 * 4, False)
