// lmcache · SPDX-License-Identifier: Apache-2.0

import CLMCache
import Glibc
import InProcessConfiguration
import Telemetry

/// The contract's version. The contract: lmcache.h.
@c @implementation
public func lmcache_abi_version() -> UInt32 { LMCACHE_ABI_VERSION }

/// The library's version as text. The contract: lmcache.h.
@c @implementation
public func lmcache_version() -> UnsafePointer<CChar>? { UnsafePointer(versionText) }

/// Lives as long as the process.
nonisolated(unsafe) private let versionText: UnsafeMutablePointer<CChar>? = strdup(LMCacheVersion.current)

/// Resolves a configuration document to JSON. The contract: lmcache.h.
@c @implementation
public func lmcache_configuration_resolve(
    _ document: UnsafePointer<CChar>?, _ document_length: Int,
    _ json: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>?,
    _ json_length: UnsafeMutablePointer<Int>?
) -> Int32 {
    LibraryError.result { () throws(LibraryError) in
        guard let json, let json_length else {
            throw LibraryError(.invalidArgument, "json and json_length must be set")
        }
        let configuration = try Argument.configuration(document, document_length)
        let text = try CopiedBytes.text(configuration.json.serialized())
        json.pointee = text.base
        json_length.pointee = text.count
    }
}

/// Creates and starts an instance. The contract: lmcache.h.
@c @implementation
public func lmcache_create(
    _ document: UnsafePointer<CChar>?, _ document_length: Int, _ socket_path: UnsafePointer<CChar>?
) -> OpaquePointer? {
    LibraryError.reported(otherwise: { _ in nil }) { () throws(LibraryError) -> OpaquePointer? in
        let configuration = try Argument.configuration(document, document_length)
        let path = try Argument.socketPath(socket_path)
        let cache = try ProcessFacts.withoutSignals { () throws(LibraryError) in
            try EmbeddedCache(configuration: configuration, socketPath: path)
        }
        guard let handle = InstanceRegistry.ofThisProcess.add(cache) else {
            cache.stop()
            throw LibraryError(.tooMany, "this process has made all the instances that there are numbers for")
        }
        return handle
    }
}

/// Ends an instance. The contract: lmcache.h.
@c @implementation
public func lmcache_destroy(_ instance: OpaquePointer?) {
    guard let instance else { return }
    _ = LibraryError.result { () throws(LibraryError) in
        guard let cache = try InstanceRegistry.ofThisProcess.remove(instance) else { throw .closed }
        cache.stop()
    }
}

/// Frees what the library handed out. The contract: lmcache.h.
@c @implementation
public func lmcache_free_bytes(_ bytes: UnsafeMutableRawPointer?) { free(bytes) }
