// lmcache · SPDX-License-Identifier: Apache-2.0

import KVModel

/// Everything that changes while the engine runs, beside the cache itself. Guarded by the engine's one lock.
struct EngineState {
    var sessions: SessionTable
    var workers: [InstanceID: WorkerRegistration] = [:]
    var engineDrivenWorkers: [InstanceID: EngineDrivenWorker] = [:]
    var pending: PendingTransfers
    var layouts = ModelLayouts()
    var liveness: WorkerLiveness
    var nextSessionSweep: Duration = .zero
    var nextReapScan: Duration = .zero

    init(configuration: EngineConfiguration) {
        self.sessions = SessionTable(
            limit: configuration.sessionLimit, timeToLive: configuration.sessionTimeToLive)
        self.pending = PendingTransfers()
        self.liveness = WorkerLiveness(limits: configuration.liveness)
    }
}
