// lmcache · SPDX-License-Identifier: Apache-2.0

package import DeviceTransfer
package import KVModel

/// One engine worker whose memory the server reads and writes (lmcache-driven mode).
package struct WorkerRegistration: Sendable {
    package let request: KVCacheRegistration
    package let memory: any EngineMemory
    package let deviceName: String

    package init(request: KVCacheRegistration, memory: any EngineMemory, deviceName: String) {
        self.request = request
        self.memory = memory
        self.deviceName = deviceName
    }

    /// What its model's lookups need to know.
    package func modelLayout(chunkSize: Int) -> ModelLayout {
        // Auxiliary groups sort last and are carried along: no lookup asks for them.
        let groups = self.memory.layout.objectGroups.filter { $0.kind != .auxiliary }
        return ModelLayout(groups: groups.map(\.layout), windows: groups.map(\.window), chunkSize: chunkSize)
    }
}

/// One engine worker that moves the bytes itself (engine-driven mode): one kernel group, one object group.
package struct EngineDrivenWorker: Sendable {
    package let request: EngineDrivenRegistration
    /// `[2, layers, slots, hidden]`, or `[layers, slots, hidden]` for one plane.
    package let layout: ObjectLayout

    package init(request: EngineDrivenRegistration, layout: ObjectLayout) {
        self.request = request
        self.layout = layout
    }

    package func modelLayout(chunkSize: Int) -> ModelLayout {
        ModelLayout(groups: [self.layout], windows: [.everything], chunkSize: chunkSize)
    }
}
