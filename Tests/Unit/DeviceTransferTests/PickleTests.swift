// lmcache · SPDX-License-Identifier: Apache-2.0

import KVModel
import Testing

@testable import DeviceTransfer

@Suite struct PickleTests {
    private static let goldens = PickleGolden.recorded + PickleGolden.vectors

    @Test(arguments: goldens)
    func whatTorchEmitsIsRead(_ golden: PickleGolden) throws {
        let chunks = try PickledChunks(bytes(hex: golden.pickle))
        try #require(chunks.tensors.count == golden.tensors.count)
        for (index, expected) in golden.tensors.enumerated() {
            #expect(chunks.tensors[index].tensor.elementType.rawValue == expected.type)
            #expect(chunks.tensors[index].tensor.shape == expected.shape)
            #expect(Self.content(chunks, index) == bytes(hex: expected.data), "\(golden.name)")
        }
    }

    static func content(_ chunks: PickledChunks, _ index: Int) -> [UInt8] {
        let tensor = chunks.tensors[index].tensor
        var result = [UInt8](repeating: 0, count: tensor.shape.reduce(tensor.elementType.byteCount, *))
        result.withUnsafeMutableBytes { chunks.copy(index, to: $0) }
        return result
    }

    @Test func theShortestFormIsByteForByteTheReferences() {
        let golden = PickleGolden.vectors[0]
        let part = ObjectLayout.Part(shape: golden.tensors[0].shape, elementType: .float16)
        var writer = PickleWriter(part: part, tensorCount: 2)
        for tensor in golden.tensors { bytes(hex: tensor.data).withUnsafeBytes { writer.append($0) } }
        #expect(writer.finish() == bytes(hex: golden.pickle))
    }

    @Test(arguments: ElementType.allCases)
    func whatIsWrittenIsReadBack(_ type: ElementType) throws {
        var random = SeededRandom(5)
        for shape in [[1], [300, 1], [2, 1, 66_000], [2, 3, 4, 5]] {
            let size = shape.reduce(type.byteCount, *)
            let data = (0..<2).map { _ in (0..<size).map { _ in UInt8(truncatingIfNeeded: random.next()) } }
            var writer = PickleWriter(part: .init(shape: shape, elementType: type), tensorCount: 2)
            for chunk in data { chunk.withUnsafeBytes { writer.append($0) } }
            let chunks = try PickledChunks(writer.finish())
            #expect(chunks.tensors.map(\.tensor.shape) == [shape, shape])
            #expect(chunks.tensors.map(\.tensor.elementType) == [type, type])
            #expect((0..<2).map { Self.content(chunks, $0) } == data)
        }
    }

    @Test(arguments: goldens)
    func everyTruncationIsRefused(_ golden: PickleGolden) {
        let whole = bytes(hex: golden.pickle)
        for count in 0..<whole.count {
            #expect(throws: PickleError.self) { try PickledChunks(Array(whole[0..<count])) }
        }
        #expect(throws: PickleError.self) { try PickledChunks(whole + [0x2e]) }
    }

    @Test(arguments: goldens)
    func mutationsNeverTrapOrReachOutside(_ golden: PickleGolden) {
        var random = SeededRandom(UInt64(golden.pickle.utf8.count))
        let whole = bytes(hex: golden.pickle)
        for _ in 0..<400 {
            var mutated = whole
            for _ in 0..<Int.random(in: 1...3, using: &random) {
                let position = Int.random(in: 0..<mutated.count, using: &random)
                switch Int.random(in: 0..<4, using: &random) {
                case 0: mutated[position] = UInt8(truncatingIfNeeded: random.next())
                case 1: mutated[position] ^= 1 << UInt8.random(in: 0..<8, using: &random)
                case 2: mutated.insert(mutated[position], at: position)
                default: mutated.remove(at: position)
                }
            }
            guard let chunks = try? PickledChunks(mutated) else { continue }
            for index in chunks.tensors.indices {
                let tensor = chunks.tensors[index].tensor
                #expect((tensor.byteSpan ?? .max) <= chunks.tensors[index].storage.count)
                let elements = tensor.shape.reduce(1) { $0.multipliedReportingOverflow(by: $1).partialValue }
                if (0...100_000).contains(elements) { _ = Self.content(chunks, index) }
            }
        }
    }

    @Test(arguments: [
        ("os.system", "8004 8c026f73 8c0673797374656d 93 8c0269648552 2e"),
        ("builtins.eval", "8004 8c086275696c74696e73 8c046576616c 93 2e"),
        ("GLOBAL os system", "8002 63 6f730a 73797374656d0a 2e"),
        ("torch.load", "8004 8c05746f726368 8c046c6f6164 93 2e"),
        ("a name without an end", "80026361616161"),
        ("pop of nothing", "8004 61 2e"),
        ("append to nothing", "8004 4b01 61 2e"),
        ("tuple without mark", "8004 74 2e"),
        ("memo of nothing", "8004 6805 2e"),
        ("memoize nothing", "8004 94 2e"),
        ("values left over", "8004 5d 5d 2e"),
        ("no list", "8004 4b01 2e"),
        ("list of numbers", "8004 5d 4b01 61 2e"),
        ("protocol 6", "8006 5d 2e"),
        ("build", "8004 5d 62 2e"),
        ("newobj", "8004 5d 29 81 2e"),
        ("inst", "8004 28 69 2e"),
        ("persistent id outside a storage", "8004 29 51 2e"),
        ("call of a class", "8004 8c05746f726368 8c0b48616c6653746f72616765 93 29 52 2e"),
        ("bytes longer than the input", "8004 8e ffffffffffffffff 2e"),
        ("bytes with a size beyond 63 bits", "8004 8e 00000000000000ff 2e"),
    ])
    func otherPicklesAreRefused(_ name: String, _ hex: String) {
        #expect(throws: PickleError.self, "\(name)") { try PickledChunks(bytes(hex: hex)) }
    }

    @Test func aStorageInsideAStorageIsRefused() {
        // The inner stream is a pickle that asks for another storage.
        let call = bytes(hex: "8c0d746f7263682e73746f72616765 8c105f6c6f61645f66726f6d5f6279746573 93")
        let header = bytes(hex: "80028a0a6cfc9c46f9206aa850192e80024de9032e")
        let inner = header + [0x80, 4] + call + [0x43, 0, 0x85, 0x52, 0x2e]
        let outer = [0x80, 4] + call + [0x43, UInt8(inner.count)] + inner + [0x85, 0x52, 0x2e]
        #expect(throws: PickleError.self) { try PickledChunks(outer) }
    }

    @Test(arguments: [UInt8(0x5d), 0x28, 0x29, 0x7d, 0x4e, 0x85])
    func endlessInputEndsAtTheBudget(_ opcode: UInt8) {
        let input = [0x80, 4, 0x5d] + [UInt8](repeating: opcode, count: 1_100_000)
        do throws(PickleError) {
            _ = try PickledChunks(input)
            Issue.record("accepted")
        } catch {
            #expect(error.text == "too many opcodes")
        }
    }
}
