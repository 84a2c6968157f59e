// lmcache · SPDX-License-Identifier: Apache-2.0

import CacheProtocol
import MessagePack
import Testing

@Suite struct OperationGoldenTests {
    @Test func everyVectorIsLoaded() {
        #expect(Goldens.all.count == 177)
        #expect(Goldens.all(kind: "request").count == 44)
        #expect(Goldens.all(kind: "response").count == 39)
    }

    @Test(arguments: Goldens.all(kind: "operation"))
    func operationDecodesInBothSpellingsAndEncodesAsRecorded(vector: GoldenVector) throws {
        let operation = try #require(CacheOperation.decode(frame: vector.frames[0]))
        #expect(operation.rawValue == vector.text("name"))
        #expect(operation.legacyID.map(Int.init) == vector.number("legacy_id"))
        #expect(operation.encodedFrame() == vector.frames[0])
        #expect(CacheOperation.decode(frame: MessagePackValue.string(operation.rawValue).encoded) == operation)
    }

    @Test func everyOperationIsRecorded() {
        #expect(Goldens.all(kind: "operation").count == CacheOperation.allCases.count)
    }

    @Test(arguments: Goldens.all(kind: "request_uid"))
    func requestNumberSurvives(vector: GoldenVector) throws {
        let number = try #require(RequestUID.decode(frame: vector.frames[0]))
        #expect(vector.name == "request_uid/\(number)")
        #expect(RequestUID.encode(number) == vector.frames[0])
    }

    @Test(arguments: Goldens.all(kind: "stream_control"))
    func streamControlSurvives(vector: GoldenVector) throws {
        guard case .streamControl(let uid, let control) = RequestFrames(vector.frames) else {
            Issue.record("not read as stream control")
            return
        }
        #expect(control.rawValue == vector.text("action"))
        let number = try #require(RequestUID.decode(frame: uid))
        #expect(RequestFrames.encode(uid: number, control) == vector.frames)
    }
}
