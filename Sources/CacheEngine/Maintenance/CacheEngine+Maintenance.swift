// lmcache · SPDX-License-Identifier: Apache-2.0

import DeviceTransfer
package import KVModel
import L1Cache
import Logging
import NativeThreads
import Synchronization
import Telemetry

extension CacheEngine {
    /// Marks a worker alive. True for a plain probe and a registered worker; false exactly once for one that is not
    /// registered, so that it registers again (wire protocol §1.8).
    package func ping(_ instance: InstanceID?, connection: ConnectionID) -> Bool {
        guard let instance else { return true }
        let now = self.now
        let isWelcome = self.state.withLock { $0.liveness.pinged(instance, connection: connection, now: now) }
        self.recorder.subscriberPinged(instance, now: now)
        if !isWelcome {
            self.metrics.pingFalse()
            self.warn(
                .unknownPing,
                "Ping from unregistered instance \(instance): answering false once so that it registers")
        }
        return isWelcome
    }

    /// Drops what nobody holds, or with `force` everything; bytes in use stay until their users are done.
    package func clear(force: Bool) {
        let removed = self.cache.clear(force: force)
        self.logger.info("Cache cleared: \(removed) objects removed (force=\(force))")
    }

    /// Ends what a lost connection owned: leases of its lookups, prepared transfers, event streams.
    package func connectionClosed(_ connection: ConnectionID) {
        let now = self.now
        let lost = self.state.withLock { state in
            _ = state.liveness.connectionClosed(connection, now: now)
            return (
                leases: state.sessions.connectionClosed(connection),
                transfers: state.pending.connectionClosed(connection)
            )
        }
        self.cache.release(lost.leases)
        self.apply(lost.transfers)
        self.recorder.connectionClosed(connection)
    }

    /// Does what is due: ends sessions nobody used and workers that are gone. Cheap when nothing is; called about ten
    /// times a second.
    ///
    /// - Returns: Workers whose registrations ended.
    package func tick() -> [InstanceID] {
        let now = self.now
        self.expireSessions(now: now)
        self.expireWrites(now: now)
        self.recorder.tick(now: now)
        return self.reapWorkers(now: now)
    }

    private func expireSessions(now: Duration) {
        let expired = self.state.withLock { state -> [ObjectHandle] in
            guard now >= state.nextSessionSweep else { return [] }
            state.nextSessionSweep = now + .seconds(5)
            return state.sessions.expire(now: now)
        }
        self.cache.release(expired)
    }

    /// A prepared store that is not committed within the protocol's limit frees its keys. Its bytes stay until its worker
    /// has ended and its connection is closed.
    private func expireWrites(now: Duration) {
        let expired = self.state.withLock {
            $0.pending.expireWrites(startedBefore: now - self.configuration.writeTimeToLive)
        }
        self.cache.quarantine(expired.flatMap(\.handles))
    }

    private func reapWorkers(now: Duration) -> [InstanceID] {
        let reaped = self.state.withLock { state -> [Reaping] in
            guard now >= state.nextReapScan else { return [] }
            state.nextReapScan = now + .seconds(1)
            return state.liveness.due(now: now, isProcessAlive: self.environment.isProcessAlive).map { due in
                Reaping(
                    due: due, worker: state.removeWorker(due.id),
                    engineDriven: state.removeEngineDrivenWorker(due.id), changes: state.pending.workerEnded(due.id))
            }
        }
        for reaping in reaped {
            reaping.worker?.memory.close()
            self.apply(reaping.changes)
            self.recorder.workerReaped(reaping.due.id)
            self.metrics.workerReaped()
            self.logger.warning(
                """
                Reaped GPU instance \(reaping.due.id): silent for \(reaping.due.silentFor.fixedSeconds)s \
                (pinged=\(reaping.due.hasPinged), reason=\(reaping.due.reason))
                """)
        }
        return reaped.map(\.due.id)
    }

    private struct Reaping {
        let due: WorkerLiveness.Reaped
        let worker: WorkerRegistration?
        let engineDriven: EngineDrivenWorker?
        let changes: PendingTransfers.Changes
    }

    /// Refuses new transfers, waits until those accepted are answered, at most this long, and ends the event streams
    /// while somebody can still be told.
    package func drain(milliseconds: Int) {
        self.gate.close()
        self.secondTier.endPrefetches()
        let pause = StopSignal()
        let deadline = self.now + .milliseconds(milliseconds)
        while self.gate.count > 0, self.now < deadline { _ = pause.wait(milliseconds: 2) }
        self.recorder.shutDown()
    }

    /// Stops the copies and then the cache. Nothing may be called afterwards.
    package func stop() {
        let workers = self.state.withLock { Array($0.workers.values) }
        for worker in workers { worker.memory.close() }
        for device in self.devices { device.stop() }
        self.inlineCopier.stop()
        let isDrained = self.secondTier.close()
        if !isDrained { self.logger.warning("L2 transfers still run at the end; the pool stays mapped for them") }
        self.cache.stop(keepsMapping: !isDrained)
    }
}
