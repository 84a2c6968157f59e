// lmcache · SPDX-License-Identifier: Apache-2.0

package import CacheEngine
package import CacheService
import DeviceTransfer
package import KVModel
package import L1Cache
package import Logging
package import Telemetry

/// One complete cache: first tier, devices, engine and service, joined as the settings say.
///
/// The only place that knows every concrete part. A server puts sockets in front of it; the in-process library calls it.
package final class CacheInstance: Sendable {
    package let engine: CacheEngine
    package let service: CacheService
    package let cache: L1Cache

    /// What an instance is made from.
    package struct Settings: Sendable {
        package var first: L1Configuration
        package var engine: EngineConfiguration
        package var mode: TransferMode
        /// Remembers registrations over a restart; nil for none.
        package var journal: RegistrationJournal?
        /// Transfers that wait at once for one device; past it stores are skipped and retrieves fail.
        package var transferQueueLimit: Int
        /// The one connection that may register memory of this process, for the in-process library.
        package var directConnection: ConnectionID?

        package init(
            first: L1Configuration, engine: EngineConfiguration, mode: TransferMode, journal: RegistrationJournal?,
            transferQueueLimit: Int = 1024
        ) {
            self.first = first
            self.engine = engine
            self.mode = mode
            self.journal = journal
            self.transferQueueLimit = transferQueueLimit
        }
    }

    /// Maps the memory, starts the devices' threads and takes up journalled registrations.
    ///
    /// - Parameter send: Takes a reply to a connection; called from any thread.
    package init(
        settings: Settings, environment: EngineEnvironment, metrics: CacheMetrics, logger: Logger,
        send: @escaping CacheService.Send
    ) throws(L1Error) {
        let recorder = EventRecorder(
            capacity: settings.engine.kvEventCapacity, incarnation: environment.incarnation,
            reapAfter: settings.engine.liveness.reapAfter, chunkSize: settings.engine.chunkSize, metrics: metrics,
            logger: logger)
        let cache = try L1Cache(configuration: settings.first, listener: recorder)
        recorder.attach(namespace: { [weak cache] in cache?.namespace($0) ?? Namespace(modelName: "", cacheSalt: "") })
        let devices = CopyDevices(
            cache: cache, queueLimit: settings.transferQueueLimit,
            opensProcessMemory: settings.directConnection != nil, logger: logger)
        self.cache = cache
        self.engine = CacheEngine(
            configuration: settings.engine, environment: environment,
            parts: CacheEngine.Parts(
                cache: cache, recorder: recorder, devices: [devices.cpu, devices.cuda], inlineCopier: devices.inline,
                metrics: metrics, logger: logger))
        self.service = CacheService(
            engine: self.engine, journal: settings.journal, mode: settings.mode,
            directConnection: settings.directConnection, logger: logger, send: send)
        Self.observe(self.engine, cache: cache, metrics: metrics)
        metrics.observePinning { [cuda = devices.cuda] in PinningReading(cuda.report) }
        let replayed = self.service.replayJournal()
        if replayed.restored + replayed.dropped > 0 {
            logger.info("Registrations taken up again: \(replayed.restored); no longer reachable: \(replayed.dropped)")
        }
    }

    /// Finishes copies in flight and gives the memory back; event streams ended with the drain. Nothing may be called afterwards.
    package func stop() {
        self.service.stop()
        self.engine.stop()
    }

    private static func observe(_ engine: CacheEngine, cache: L1Cache, metrics: CacheMetrics) {
        metrics.announceDevice("cpu")
        metrics.observeL1 { [weak cache] in
            let usage = cache?.usage() ?? L1Usage()
            return L1GaugeReading(
                usedBytes: usage.usedBytes, capacityBytes: usage.capacityBytes, stagedBytes: usage.stagedBytes)
        }
        metrics.observeActivePrefetchJobs { [weak engine] in engine?.unansweredLookups() ?? 0 }
        metrics.observeActiveSessions { [weak engine] in engine?.sessionCount() ?? 0 }
        metrics.observeRegisteredWorkers { [weak engine] in engine?.workerCount() ?? 0 }
        metrics.observeKVEventLogDepth { [weak engine] in engine?.recorder.report().depth ?? 0 }
    }
}
