// lmcache · SPDX-License-Identifier: Apache-2.0

import DeviceTransfer
import KVModel
import Synchronization
import Testing

@testable import CacheEngine

@Suite struct RegistrationRegressionTests {
    /// Process numbers and segment names repeat when a container restarts; the bytes behind them do not.
    @Test func anEqualRegistrationOfOtherMemoryIsOpenedAgain() throws {
        let rig = try RegressionEngine()
        defer { rig.engine.stop() }
        try rig.engine.register(rig.registration(), connection: ConnectionID(1))
        try rig.engine.register(rig.registration(), connection: ConnectionID(1))
        #expect(rig.device.openCount == 1)
        rig.device.isCurrent.withLock { $0 = false }
        try rig.engine.register(rig.registration(), connection: ConnectionID(2))
        #expect(rig.device.openCount == 2)
    }

    @Test func aWorkerThatChangesItsModelLeavesNoLayoutBehind() throws {
        let rig = try RegressionEngine()
        defer { rig.engine.stop() }
        for model in ["first", "second"] {
            _ = try rig.engine.register(
                EngineDrivenRegistration(
                    instanceID: InstanceID(1), modelName: model, worldSize: 1, blockSize: 4, layerCount: 1,
                    hiddenSize: 8, elementType: .float16, isMLA: true, slotCount: nil),
                connection: ConnectionID(1))
        }
        rig.engine.unregisterEngineDriven(InstanceID(1))
        let left = rig.engine.state.withLock { state in
            ["first", "second"].filter { state.layouts[ModelLayouts.Model(name: $0, worldSize: 1)] != nil }
        }
        #expect(left.isEmpty)
    }
}
