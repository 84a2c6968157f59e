// lmcache · SPDX-License-Identifier: Apache-2.0

import CacheProtocol
import EngineTestSupport
import KVModel
import Testing

@testable import CacheService

@Suite struct ControlTests {
    @Test func answersAboutTheServer() throws {
        let script = try ServiceScript()
        defer { script.stop() }
        #expect(script.value(.noop, EmptyRequest(), as: StringReply.self)?.value == "OK")
        #expect(script.value(.getChunkSize, EmptyRequest(), as: IntReply.self)?.value == 8)
        #expect(script.value(.clear, ClearRequest(force: true), as: EmptyReply.self) != nil)
        let report = ReportBlockAllocationRequest(processID: 1, modelName: "m", records: [])
        #expect(script.value(.reportBlockAllocation, report, as: EmptyReply.self) != nil)
        let call = ServerModuleCallRequest(method: "plug", payload: [1])
        let module = script.value(.serverModuleCall, call, as: ServerModuleReply.self)
        #expect(module?.success == false)
    }

    @Test(arguments: [0, 64]) func advertisesEventsOnlyWhereThereAreSome(capacity: Int) throws {
        let script = try ServiceScript { $0.kvEventCapacity = capacity }
        defer { script.stop() }
        let values = script.value(.getExperimental, EmptyRequest(), as: StringListReply.self)?.values
        #expect(values == (capacity > 0 ? ["kv_event_stream"] : []) + ["reply_when_loaded"])
    }

    @Test(arguments: [false, true]) func advertisesThatGroupsAreKeptApart(isSeparate: Bool) throws {
        let script = try ServiceScript { $0.separatesObjectGroups = isSeparate }
        defer { script.stop() }
        let values = script.value(.getExperimental, EmptyRequest(), as: StringListReply.self)?.values
        #expect(values?.contains("separate_object_groups") == isSeparate)
    }

    @Test func pingsAreFalseOnceForAStranger() throws {
        let script = try ServiceScript()
        defer { script.stop() }
        func ping(_ instance: Int64?) -> Bool? {
            script.value(.ping, PingRequest(instance: instance.map { InstanceID($0) }), as: BoolReply.self)?.value
        }
        #expect([ping(nil), ping(4), ping(4), ping(nil), ping(5)] == [true, false, true, true, false])
    }

    @Test func aRefusedModeGetsTheReplyOfTheTable() throws {
        let modes: [(TransferMode, [CacheOperation])] = [
            (.engineDriven, [.store, .retrieve, .registerKVCache]),
            (.lmcacheDriven, [.prepareStore, .commitStore, .prepareRetrieve, .commitRetrieve, .registerEngineDriven]),
        ]
        for (mode, operations) in modes {
            let script = try ServiceScript(mode: mode)
            defer { script.stop() }
            for operation in operations {
                let replies = script.exchange([RequestUID.encode(1), operation.encodedFrame()])
                try #require(replies.count == 1)
                let outcome = ReplyFrames(replies[0])?.outcome
                #expect(ExpectedFailure.read(operation, outcome) == ExpectedFailure.of(operation))
                if case .refused(let reason) = outcome { #expect(reason.contains("--supported-transfer-mode")) }
            }
        }
    }
}
