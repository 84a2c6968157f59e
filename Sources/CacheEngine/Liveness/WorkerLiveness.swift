// lmcache · SPDX-License-Identifier: Apache-2.0

package import KVModel

/// Decides which registered workers are still there and which registrations must go.
///
/// Times are durations since the process started, passed in by the owner; nothing here reads a clock or blocks.
/// Source: wire protocol §1.8, §7.3, §7.5 and §9 rows 3 and 14.
package struct WorkerLiveness: Sendable {
    /// How long a registration may stay silent.
    package struct Limits: Sendable, Equatable {
        /// For workers that have pinged, or whose last connection closed; nil never reaps for silence.
        package var reapAfter: Duration?
        /// For workers that never pinged.
        package var registrationGrace: Duration

        package init(reapAfter: Duration?, registrationGrace: Duration) {
            self.reapAfter = reapAfter
            self.registrationGrace = registrationGrace
        }
    }

    /// One registration that ``due(now:isProcessAlive:)`` gave up on.
    package struct Reaped: Sendable, Equatable {
        package enum Reason: Sendable {
            /// Pinged once and then fell silent.
            case silent
            /// Never pinged and outlived the registration grace.
            case neverPinged
            /// Never pinged, its last connection closed, and it did not come back.
            case disconnected
            /// The process that registered it no longer exists.
            case processGone
        }

        package let id: InstanceID
        /// Time since its last sign of life.
        package let silentFor: Duration
        package let hasPinged: Bool
        package let reason: Reason

        package init(id: InstanceID, silentFor: Duration, hasPinged: Bool, reason: Reason) {
            self.id = id
            self.silentFor = silentFor
            self.hasPinged = hasPinged
            self.reason = reason
        }
    }

    /// Most unregistered ids whose one false answer is remembered; the longest silent id is forgotten first.
    package static let rememberedUnknownLimit = 1024

    package let limits: Limits
    private var workers: [InstanceID: Worker] = [:]
    private var toldUnknown: [InstanceID: Duration] = [:]

    package init(limits: Limits) {
        self.limits = limits
    }

    /// Registrations watched.
    package var trackedCount: Int { self.workers.count }

    /// Unregistered ids that have had their false answer.
    package var rememberedUnknownCount: Int { self.toldUnknown.count }

    /// A worker registered, or registered again.
    ///
    /// - Parameters:
    ///   - connection: Nil for a registration that the journal brought back.
    ///   - processID: The worker's process, only when it was seen alive at registration; nil leaves what was known.
    package mutating func registered(
        _ id: InstanceID,
        connection: ConnectionID?,
        processID: Int32?,
        now: Duration
    ) {
        var worker = self.workers[id] ?? Worker(lastActive: now)
        worker.showedLife(on: connection, now: now)
        if let processID { worker.processID = processID }
        self.workers[id] = worker
        self.toldUnknown[id] = nil
    }

    /// A worker left by itself.
    ///
    /// A later ping counts as one from an unknown id.
    package mutating func unregistered(_ id: InstanceID) {
        self.workers[id] = nil
    }

    /// A registered worker stored, retrieved, prepared or committed; unknown ids are ignored.
    package mutating func active(_ id: InstanceID, connection: ConnectionID, now: Duration) {
        self.workers[id]?.showedLife(on: connection, now: now)
    }

    /// A ping that carried an instance id.
    ///
    /// Returns the answer.
    ///
    /// False exactly once for an id that is not registered now, so that the engine's heartbeat notices the loss; then
    /// true, which lets it register again.
    package mutating func pinged(_ id: InstanceID, connection: ConnectionID, now: Duration) -> Bool {
        if self.workers[id] != nil {
            self.workers[id]?.showedLife(on: connection, now: now)
            self.workers[id]?.hasPinged = true
            return true
        }
        let wasTold = self.toldUnknown[id] != nil
        if !wasTold, self.toldUnknown.count >= Self.rememberedUnknownLimit { self.forgetLongestSilentUnknown() }
        self.toldUnknown[id] = now
        return wasTold
    }

    /// A connection ended.
    ///
    /// Returns the instances whose last connection it was, lowest id first.
    ///
    /// From now on the reap limit counts for them even if they never pinged, until they are active again.
    package mutating func connectionClosed(_ connection: ConnectionID, now: Duration) -> [InstanceID] {
        var orphaned: [InstanceID] = []
        for (id, var worker) in self.workers where worker.connections.remove(connection) != nil {
            if worker.connections.isEmpty {
                worker.disconnectedAt = now
                orphaned.append(id)
            }
            self.workers[id] = worker
        }
        return orphaned.sorted { $0.rawValue < $1.rawValue }
    }

    /// Takes out the registrations that are due now, lowest id first.
    ///
    /// A process that is gone is due at once, whatever the limits.
    package mutating func due(now: Duration, isProcessAlive: (Int32) -> Bool) -> [Reaped] {
        var reaped: [Reaped] = []
        for (id, worker) in self.workers {
            guard let reason = self.reason(toReap: worker, now: now, isProcessAlive: isProcessAlive) else { continue }
            reaped.append(
                Reaped(
                    id: id,
                    silentFor: worker.silence(now: now),
                    hasPinged: worker.hasPinged,
                    reason: reason
                )
            )
        }
        for entry in reaped { self.workers[entry.id] = nil }
        return reaped.sorted { $0.id.rawValue < $1.id.rawValue }
    }

    private func reason(
        toReap worker: Worker,
        now: Duration,
        isProcessAlive: (Int32) -> Bool
    ) -> Reaped.Reason? {
        if let processID = worker.processID, !isProcessAlive(processID) { return .processGone }
        guard let reapAfter = self.limits.reapAfter else { return nil }
        let silence = worker.silence(now: now)
        if worker.hasPinged { return silence > reapAfter ? .silent : nil }
        // Counted from the close: an engine that was idle for long gets the whole limit to reconnect.
        if let closed = worker.disconnectedAt, now - closed > reapAfter { return .disconnected }
        return silence > self.limits.registrationGrace ? .neverPinged : nil
    }

    private mutating func forgetLongestSilentUnknown() {
        guard let oldest = self.toldUnknown.min(by: { $0.value < $1.value })?.key else { return }
        self.toldUnknown[oldest] = nil
    }
}

/// What is known about one registration.
private struct Worker {
    var lastActive: Duration
    var hasPinged = false
    var processID: Int32?
    var connections: Set<ConnectionID> = []
    /// When the last connection closed; nil while one is open or none was ever seen.
    var disconnectedAt: Duration?

    init(lastActive: Duration) {
        self.lastActive = lastActive
    }

    func silence(now: Duration) -> Duration { max(.zero, now - self.lastActive) }

    mutating func showedLife(on connection: ConnectionID?, now: Duration) {
        self.lastActive = max(self.lastActive, now)
        guard let connection else { return }
        self.connections.insert(connection)
        self.disconnectedAt = nil
    }
}
