// lmcache · SPDX-License-Identifier: Apache-2.0

import DeviceTransfer
package import KVModel
package import L1Cache
import Logging
import Synchronization

extension CacheEngine {
    /// Opens a worker's memory (lmcache-driven mode). The same registration again refreshes; another one under the same
    /// instance id replaces the first.
    ///
    /// - Parameter connection: Nil for a registration taken up from the journal.
    package func register(_ request: KVCacheRegistration, connection: ConnectionID?) throws(EngineError) {
        let now = self.now
        let known = self.state.withLock { state in
            state.workers[request.instanceID].flatMap { $0.request == request ? $0.memory : nil }
        }
        // An engine that restarts under its old process number names new memory by the old names.
        if let known, known.isCurrent {
            if let connection {
                self.state.withLock { $0.liveness.active(request.instanceID, connection: connection, now: now) }
            }
            self.logger.info("Instance \(request.instanceID) already registered; refreshing liveness")
            return
        }
        let worker = try self.open(request)
        let processID = request.clientProcessID.flatMap { self.environment.isProcessAlive($0) ? $0 : nil }
        let layout = worker.modelLayout(chunkSize: self.configuration.chunkSize)
        let replaced = self.state.withLock { state -> WorkerRegistration? in
            let replaced = state.removeWorker(request.instanceID)
            state.workers[request.instanceID] = worker
            state.layouts.add(
                layout, of: WorkerIdentity(instance: request.instanceID, mode: .serverDriven), model: request.model)
            state.liveness.registered(request.instanceID, connection: connection, processID: processID, now: now)
            return replaced
        }
        replaced?.memory.close()
        self.logger.info(
            "Registered KV cache for GPU ID \(request.instanceID) with \(worker.memory.layout.layerCount) layers")
    }

    private func open(_ request: KVCacheRegistration) throws(EngineError) -> WorkerRegistration {
        guard let device = self.devices.first(where: { $0.accepts(request.tensors) }) else {
            throw .registrationRefused(reason: "no device here can open these descriptors; accepted: cpu_shm")
        }
        do {
            let layout = try KVCacheLayout.detect(
                request, chunkSize: self.configuration.chunkSize,
                separateObjectGroups: self.configuration.separatesObjectGroups, deviceIsCPU: device.name == "cpu")
            let memory = try device.open(request, layout: layout)
            return WorkerRegistration(request: request, memory: memory, deviceName: memory.deviceName ?? device.name)
        } catch {
            throw .registrationRefused(reason: String(describing: error))
        }
    }

    /// Takes a worker that moves the bytes itself. Returns the pool it may map; nil where bytes travel in messages.
    package func register(
        _ request: EngineDrivenRegistration, connection: ConnectionID
    ) throws(EngineError) -> PoolOffer? {
        guard request.blockSize > 0, self.configuration.chunkSize % request.blockSize == 0 else {
            throw .unusableBlockSize(block: request.blockSize, chunk: self.configuration.chunkSize)
        }
        let layout: ObjectLayout
        do {
            layout = try KVCacheLayout.engineDriven(request, chunkSize: self.configuration.chunkSize)
        } catch {
            throw .registrationRefused(reason: String(describing: error))
        }
        let worker = EngineDrivenWorker(request: request, layout: layout)
        let now = self.now
        let (isKnown, changes) = self.state.withLock { state -> (Bool, PendingTransfers.Changes) in
            let changes = state.pending.workerEnded(request.instanceID, except: connection)
            if state.engineDrivenWorkers[request.instanceID]?.request == request {
                state.liveness.active(request.instanceID, connection: connection, now: now)
                return (true, changes)
            }
            _ = state.removeEngineDrivenWorker(request.instanceID)
            state.engineDrivenWorkers[request.instanceID] = worker
            state.layouts.add(
                worker.modelLayout(chunkSize: self.configuration.chunkSize),
                of: WorkerIdentity(instance: request.instanceID, mode: .engineDriven), model: request.model)
            state.liveness.registered(request.instanceID, connection: connection, processID: nil, now: now)
            return (false, changes)
        }
        self.apply(changes)
        let transport = self.cache.pool == nil ? "pickle" : "shm"
        self.logger.info(
            isKnown
                ? "Instance \(request.instanceID) already registered; refreshing liveness"
                : """
                Registered non-GPU context for instance \(request.instanceID) (model=\(request.modelName), \
                world_size=\(request.worldSize)) using \(transport) non-GPU transfer strategy
                """)
        return self.cache.pool
    }

    /// Closes a worker's memory (lmcache-driven mode). Cached objects stay.
    package func unregister(_ instance: InstanceID) {
        let removed = self.state.withLock { state -> WorkerRegistration? in
            let removed = state.removeWorker(instance)
            if state.engineDrivenWorkers[instance] == nil { state.liveness.unregistered(instance) }
            return removed
        }
        guard let removed else {
            return self.warn(
                .unknownUnregistration, "No registered GPU context for instance \(instance); nothing to unregister")
        }
        removed.memory.close()
        self.logger.info("Unregistered KV cache for GPU ID \(instance)")
    }

    /// Forgets a worker that moves the bytes itself. What it had prepared and not committed never becomes visible; its
    /// bytes stay until the connection that prepared it is closed, since the process may still touch them.
    package func unregisterEngineDriven(_ instance: InstanceID) {
        let removed = self.state.withLock { state -> (worker: EngineDrivenWorker?, changes: PendingTransfers.Changes) in
            let worker = state.removeEngineDrivenWorker(instance)
            if state.workers[instance] == nil { state.liveness.unregistered(instance) }
            return (worker, state.pending.workerEnded(instance))
        }
        self.apply(removed.changes)
        guard removed.worker != nil else {
            return self.warn(.unknownUnregistration, "No registered non-CUDA context for instance ID \(instance)")
        }
        self.logger.info("Unregistered non-CUDA context for instance ID \(instance)")
    }

    /// Does to the slots of prepared transfers what the end of a worker or a connection asks for.
    func apply(_ changes: PendingTransfers.Changes) {
        self.cache.quarantine(changes.quarantined.flatMap(\.handles))
        self.cache.releaseQuarantine(changes.endedWrites.flatMap(\.handles))
        self.cache.releaseHolds(changes.endedReads.flatMap(\.handles))
    }
}

extension EngineState {
    mutating func removeWorker(_ instance: InstanceID) -> WorkerRegistration? {
        guard let worker = self.workers.removeValue(forKey: instance) else { return nil }
        self.layouts.remove(WorkerIdentity(instance: instance, mode: .serverDriven), model: worker.request.model)
        return worker
    }

    mutating func removeEngineDrivenWorker(_ instance: InstanceID) -> EngineDrivenWorker? {
        guard let worker = self.engineDrivenWorkers.removeValue(forKey: instance) else { return nil }
        self.layouts.remove(WorkerIdentity(instance: instance, mode: .engineDriven), model: worker.request.model)
        return worker
    }
}

extension KVCacheRegistration {
    var model: ModelLayouts.Model { ModelLayouts.Model(name: self.modelName, worldSize: self.worldSize) }

    /// The client's process, from the names of its segments (`/lmcache_kv_<pid>_<n>`) or of PyTorch's counters
    /// (`/torch_<pid>_<random>_<n>`); nil where they tell nothing.
    var clientProcessID: Int32? {
        for tensor in self.tensors {
            switch tensor.storage {
            case .cpuSharedMemory(let name, _):
                let fields = name.drop { $0 == "/" }.split(separator: "_", omittingEmptySubsequences: false)
                guard fields.count == 4, fields[0] == "lmcache", fields[1] == "kv" else { return nil }
                return Int32(fields[2]).flatMap { $0 > 0 ? $0 : nil }
            case .cuda(let storage):
                guard let name = storage.referenceCounterName else { return nil }
                let fields = String(decoding: name.prefix(64), as: UTF8.self).drop { $0 == "/" }.split(
                    separator: "_", omittingEmptySubsequences: false)
                guard fields.count == 4, fields[0] == "torch" else { return nil }
                return Int32(fields[1]).flatMap { $0 > 0 ? $0 : nil }
            case .cudaRaw, .cudaVMM, .process: return nil
            }
        }
        return nil
    }
}

extension EngineDrivenRegistration {
    var model: ModelLayouts.Model { ModelLayouts.Model(name: self.modelName, worldSize: self.worldSize) }
}
