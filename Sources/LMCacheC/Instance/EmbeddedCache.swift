// lmcache · SPDX-License-Identifier: Apache-2.0

import CLMCache
import CacheEngine
import CacheService
import EngineKit
import InProcessConfiguration
import KVModel
import L1Cache
import Logging
import NativeThreads
import Synchronization
import Telemetry
import ZMQTransport

/// One cache in this process with its two doors.
final class EmbeddedCache: Sendable {
    let door: DirectDoor
    private let instance: CacheInstance
    private let router: RouterServer?
    private let ticking: TickThread?

    /// Most time that transfers in flight get at the end.
    private static let drainMilliseconds = 2_000

    /// Maps the memory, binds the socket and starts all threads. Nothing is left when it throws.
    ///
    /// - Parameter socketPath: Nil for the direct door alone.
    init(configuration: InProcessConfiguration, socketPath: String?) throws(LibraryError) {
        let logger = LibraryLog.logger("lmcache.engine")
        let tickets = DirectDoor.makeTickets()
        let route = SocketRoute()
        let instance: CacheInstance
        do {
            instance = try CacheInstance(
                settings: configuration.instanceSettings(directConnection: DirectDoor.connection),
                environment: ProcessFacts.engineEnvironment(), metrics: CacheMetrics(registry: MetricsRegistry()),
                logger: logger,
                send: { frames, connection in
                    if connection == DirectDoor.connection {
                        DirectDoor.deliver(frames, to: tickets)
                    } else {
                        route.send(frames, to: connection)
                    }
                })
        } catch {
            throw LibraryError(.unavailable, "the memory for the cache cannot be had: \(error)")
        }
        self.instance = instance
        do {
            try instance.startTiers(
                configuration.plans,
                surroundings: AdapterSurroundings(alignment: configuration.storage.alignment, logger: logger))
        } catch {
            instance.stop()
            throw LibraryError(.unavailable, "'local_disk' or 'remote_url': \(error)")
        }
        self.door = DirectDoor(service: instance.service, tickets: tickets)
        do throws(LibraryError) {
            self.router = try socketPath.map { path throws(LibraryError) in
                try Self.router(path: path, service: instance.service)
            }
        } catch {
            instance.stop()
            throw error
        }
        self.ticking = self.router == nil ? TickThread(service: instance.service) : nil
        if let router = self.router {
            route.connect(router)
            router.start()
        }
    }

    /// Ends the doors, then the cache. Once, and no call comes afterwards but those that wait already.
    func stop() {
        // Requests that are being answered still get their reply; who waits for one gets it or hears of the end.
        self.instance.engine.drain(milliseconds: Self.drainMilliseconds)
        self.door.close()
        self.router?.stop()
        self.ticking?.stop()
        self.instance.stop()
    }

    /// Figures for `lmcache_read_usage`.
    func usage() -> L1Usage { self.instance.cache.usage() }

    private static func router(path: String, service: CacheService) throws(LibraryError) -> RouterServer {
        do {
            return try RouterServer(
                configuration: .init(endpoints: ["ipc://\(path)"], name: "lmc-socket"),
                receiver: SocketReceiver(service: service))
        } catch {
            throw LibraryError(.unavailable, error.description)
        }
    }
}

extension EmbeddedCache {
    /// Fills in the figures; `size` stays as the caller set it.
    func fill(_ figures: inout lmcache_usage) {
        let usage = self.usage()
        figures.capacity_bytes = UInt64(clamping: usage.capacityBytes)
        figures.used_bytes = UInt64(clamping: usage.usedBytes)
        figures.object_count = UInt64(clamping: usage.objectCount)
        figures.leased_object_count = UInt64(clamping: usage.leasedCount)
        figures.ticket_count = UInt64(clamping: self.door.ticketCount)
    }
}
