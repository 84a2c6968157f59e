# lmcache · SPDX-License-Identifier: Apache-2.0
"""Lets a device's stream wait for a word in this process's memory, so that whoever writes it needs no driver."""

from __future__ import annotations

import ctypes
from typing import TYPE_CHECKING, Any, Protocol

from lmcache.utils import init_logger

if TYPE_CHECKING:
    import torch

logger = init_logger(__name__)

_GREATER_OR_EQUAL = 0


class StreamGate(Protocol):
    """A stream waits at numbers that grow; raising the gate to a number lets it pass all up to it."""

    def hold(self, number: int) -> bool:
        """Lets further work of the current stream wait until the gate is raised to `number`; false where it cannot."""

    def raise_to(self, number: int) -> None:
        """Opens the gate up to `number`. From any thread; never waits."""


class CUDAStreamGate:
    """A word in page-locked memory, for which the stream waits with the driver's own operation.

    A killed server cannot keep it closed, as it could keep an event of its own from firing; and opening it takes no
    lock of the driver, which a thread that waits for the device may hold.
    """

    def __init__(self, device: torch.device) -> None:
        import torch

        self._device = device
        self._memory = torch.zeros(16, dtype=torch.int32, pin_memory=True)
        address = self._memory.data_ptr()
        self._word = ctypes.c_uint32.from_address(address)
        self._address = ctypes.c_uint64(address)
        self._wait: Any = None
        try:
            # The second version works without an option of the kernel module.
            self._wait = ctypes.CDLL("libcuda.so.1").cuStreamWaitValue32_v2
        except (OSError, AttributeError) as error:
            logger.warning("streams cannot wait for memory here (%s); the host waits for loads of the same step", error)

    def hold(self, number: int) -> bool:
        """Lets further work of the current stream wait; false, said once, where the driver refuses."""
        if self._wait is None:
            return False
        import torch

        stream = ctypes.c_void_p(int(torch.cuda.current_stream(self._device).cuda_stream))
        code = self._wait(stream, self._address, ctypes.c_uint32(number & 0xFFFFFFFF), _GREATER_OR_EQUAL)
        if code != 0:
            logger.warning("cuStreamWaitValue32 failed with %d; the host waits for loads of the same step", code)
            self._wait = None
        return bool(code == 0)

    def raise_to(self, number: int) -> None:
        """Opens the gate."""
        self._word.value = number & 0xFFFFFFFF
