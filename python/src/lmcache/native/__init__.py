# lmcache · SPDX-License-Identifier: Apache-2.0
"""The cache inside this process: our shared library over ctypes.

    configuration = resolve_configuration(document)          # a dict with every key; ConfigurationError in one line
    server = EmbeddedServer(document, "/tmp/lmcache-0.sock")  # NativeError when memory or socket cannot be had
    client = server.client()                                  # as lmcache.wire.client.WireClient
    client.call("get_chunk_size")
    server.close()

What a document looks like is said in lmcache.h; `configuration_document` makes one. The library is loaded on first use;
importing this package loads nothing.
"""

from lmcache.native.client import EmbeddedClient
from lmcache.native.configuration import configuration_document, resolve_configuration
from lmcache.native.embedded import EmbeddedServer
from lmcache.native.errors import ConfigurationError, LibraryNotFoundError, NativeError
from lmcache.native.library import is_available, library_path
from lmcache.native.memory import ProcessTensor, describe_process_memory

__all__ = [
    "ConfigurationError",
    "EmbeddedClient",
    "EmbeddedServer",
    "LibraryNotFoundError",
    "NativeError",
    "ProcessTensor",
    "configuration_document",
    "describe_process_memory",
    "is_available",
    "library_path",
    "resolve_configuration",
]
