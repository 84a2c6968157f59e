// lmcache · SPDX-License-Identifier: Apache-2.0

import CacheEngine
import CacheService
import DurableFile
package import EngineKit
import Glibc
import KVModel
import L1Cache
import Logging
package import Telemetry

/// Builds the cache behind the fronts from settings.
package enum EngineAssembly {
    /// Maps the pool and builds engine and service.
    ///
    /// Nothing listens yet.
    ///
    /// - Parameters:
    ///   - configuration: Validated, with an instance id.
    ///   - metrics: What the engine counts.
    ///   - logs: Makes the loggers.
    ///   - userID: Names the pool's segment and the journal.
    package static func make(
        configuration: ServerConfiguration,
        metrics: CacheMetrics,
        logs: LogSystem,
        userID: UInt32
    ) throws(StartError) -> any EngineSide {
        let logger = logs.logger("lmcache.engine")
        let replies = ReplyRoute()
        let instance: CacheInstance
        do {
            instance = try CacheInstance(
                settings: Self.settings(configuration, logger: logger, userID: userID),
                environment: Self.environment(), metrics: metrics, logger: logger,
                send: { frames, connection in replies.send(frames, to: connection) })
        } catch {
            throw .failed(part: "pool", reason: error.description)
        }
        let surroundings = AdapterSurroundings(alignment: configuration.storage.alignment, logger: logger)
        do {
            try instance.startTiers(
                AdapterSettings.plans(configuration.storage.l2Adapters), surroundings: surroundings)
        } catch {
            instance.stop()
            throw .failed(part: "second tier", reason: String(describing: error))
        }
        Self.report(instance, configuration: configuration, logger: logger)
        return CacheSide(
            instance: instance, replies: replies, configuration: configuration, surroundings: surroundings)
    }

    private static func settings(
        _ configuration: ServerConfiguration, logger: Logger, userID: UInt32
    ) -> CacheInstance.Settings {
        CacheInstance.Settings(
            first: configuration.firstTier(userID: userID), engine: configuration.engine,
            mode: configuration.transferMode, journal: Self.journal(configuration, logger: logger, userID: userID))
    }

    private static func journal(
        _ configuration: ServerConfiguration, logger: Logger, userID: UInt32
    ) -> RegistrationJournal? {
        guard let path = configuration.journalPath(userID: userID) else { return nil }
        return RegistrationJournal(storage: DurableFile(path: path)) { line in logger.warning("\(line)") }
    }

    private static func environment() -> EngineEnvironment {
        let start = ContinuousClock.now
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        return EngineEnvironment(
            now: { ContinuousClock.now - start },
            // EPERM: it runs and belongs to somebody else.
            isProcessAlive: { kill($0, 0) == 0 || errno == EPERM },
            incarnation: Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec))
    }

    private static func report(_ instance: CacheInstance, configuration: ServerConfiguration, logger: Logger) {
        logger.info("Supported transfer mode: \(configuration.requests.supportedTransferMode.rawValue)")
        logger.info(
            """
            TokenHasher initialized: chunk_size=\(configuration.requests.chunkSize), \
            hash_algorithm=\(configuration.requests.hashAlgorithm)
            """)
        if let pool = instance.cache.pool {
            logger.info("L1 pool: \(pool.byteCount >> 20) MiB in shared memory \(pool.name)")
        } else if let reason = instance.cache.fallbackReason {
            logger.warning("L1 pool is private, engine-driven workers send bytes in messages: \(reason)")
        }
    }
}
