// lmcache · SPDX-License-Identifier: Apache-2.0

import CacheProtocol
import KVModel
import MessagePack
import Testing

@Suite struct RegisterRequestTests {
    private static var payloads: [[UInt8]] {
        RegisterRequest(registration: WireFixtures.registration([WireFixtures.descriptor])).encodedPayloads()
    }

    private static func decode(_ index: Int, _ value: MessagePackValue) throws -> KVCacheRegistration {
        var payloads = Self.payloads
        payloads[index] = value.encoded
        return try RegisterRequest(payloads: payloads).registration
    }

    @Test(
        arguments: [
            (0, .nil), (1, .nil), (1, .array([.nil])), (2, .integer(1)), (2, .string("a@b")), (3, .integer(0)),
            (3, .integer(256)), (3, .nil), (4, .string("other")), (4, .integer(1)), (5, .nil), (5, .array([])),
            (6, .nil),
            (6, .array([.nil])), (6, .array([.map([])])),
        ] as [(Int, MessagePackValue)]
    )
    func payloadThatIsNotAcceptedIsNamed(index: Int, value: MessagePackValue) {
        let error = #expect(throws: ProtocolError.self) { try Self.decode(index, value) }
        #expect(error?.field?.hasPrefix("payload \(index) ") == true)
    }

    @Test(
        arguments: [
            ("kv_layout", .string("NCHW")), ("kv_layout", .nil), ("kv_list_layout", .string("kv")),
            ("kv_list_layout", .nil), ("num_kv_heads", .integer(-1)), ("num_kv_heads", .nil),
            ("num_kv_heads", .integer(1 << 40)), ("tokens_per_block", .string("1")), ("head_dim", .double(1)),
        ] as [(String, MessagePackValue)]
    )
    func hintThatIsNotAcceptedIsRefused(field: String, value: MessagePackValue) {
        #expect(throws: ProtocolError.self) { try Self.decode(5, .map([.init(.string(field), value)])) }
    }

    @Test func unknownHintsAreIgnored() throws {
        let hints = MessagePackValue.map([.init(.string("future"), .array([.nil]))])
        #expect(try Self.decode(5, hints).hints == LayoutHints())
    }

    @Test func groupDefaultsAreTaken() throws {
        let groups = MessagePackValue.array([
            .map([.init(.string("future"), .nil), .init(.string("engine_group_id"), .integer(3))])
        ])
        #expect(try Self.decode(6, groups).groups == [EngineGroup(engineGroupID: 3)])
    }

    @Test(
        arguments: [
            ("engine_group_id", .integer(-1)), ("layer_indices", .array([.integer(-1)])), ("layer_indices", .nil),
            ("layer_indices", .array([.integer(1 << 40)])), ("tokens_per_block", .integer(-1)),
            ("tokens_per_block", .integer(.max)), ("sw_size_tokens", .integer(-2)), ("sw_size_tokens", .integer(.max)),
            ("extra_object_group_tag", .integer(-1)), ("recurrent_state", .integer(1)),
        ] as [(String, MessagePackValue)]
    )
    func groupFieldThatIsNotAcceptedIsNamed(field: String, value: MessagePackValue) {
        let group = [MessagePackValue.Entry(.string("engine_group_id"), .integer(0))].setting(field, value)
        let error = #expect(throws: ProtocolError.self) { try Self.decode(6, .array([.map(group)])) }
        #expect(error?.field == "payload 6 groups[0]." + field)
    }

    @Test(
        arguments: [
            ("instance_id", .nil), ("instance_id", .boolean(true)), ("model_name", .string("@")),
            ("world_size", .integer(0)), ("block_size", .integer(0)), ("num_layers", .integer(1 << 40)),
            ("hidden_dim_size", .integer(-1)), ("dtype_str", .string("half")), ("use_mla", .integer(0)),
            ("num_physical_slots", .integer(0)), ("num_physical_slots", .string("1")),
        ] as [(String, MessagePackValue)]
    )
    func engineDrivenFieldThatIsNotAcceptedIsNamed(field: String, value: MessagePackValue) {
        let registration = EngineDrivenRegistration(
            instanceID: InstanceID(7),
            modelName: "m",
            worldSize: 1,
            blockSize: 16,
            layerCount: 2,
            hiddenSize: 64,
            elementType: .bfloat16,
            isMLA: false,
            slotCount: nil
        )
        let map = WireFixtures.map(RegisterEngineDrivenRequest(registration: registration).encodedPayloads()[0])
        #expect(throws: Never.self) { try RegisterEngineDrivenRequest(payloads: [map.encoded]) }
        let error = #expect(throws: ProtocolError.self) {
            try RegisterEngineDrivenRequest(payloads: [map.setting(field, value).encoded])
        }
        #expect(error?.field == "payload 0 " + field)
        guard field != "num_physical_slots" else { return }
        #expect(throws: ProtocolError.missing(field: "payload 0 " + field)) {
            try RegisterEngineDrivenRequest(payloads: [map.removing(field).encoded])
        }
    }
}
