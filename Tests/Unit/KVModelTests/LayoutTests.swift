// lmcache · SPDX-License-Identifier: Apache-2.0

import KVModel
import Testing

@Suite struct TensorDescriptionTests {
    private func span(_ shape: [Int], _ stride: [Int], offset: Int = 0, type: ElementType = .bfloat16) -> Int? {
        TensorDescription(elementType: type, shape: shape, stride: stride, storageOffset: offset).byteSpan
    }

    @Test func denseTensorsSpanAllTheirElements() {
        #expect(self.span([2, 3, 4], [12, 4, 1]) == 48)
        #expect(self.span([], []) == 2, "a scalar")
        #expect(self.span([5], [1], type: .float64) == 40)
    }

    @Test func gapsAndOffsetsCount() {
        #expect(self.span([2, 3], [10, 2], offset: 7) == (7 + 10 + 4 + 1) * 2)
        #expect(self.span([4, 4], [1, 4]) == 32, "transposed")
        #expect(self.span([4, 4], [0, 1]) == 8, "a broadcast axis adds nothing")
    }

    @Test func anEmptyAxisMeansNothingIsTouched() {
        #expect(self.span([3, 0], [5, 1], offset: 100) == 0)
        #expect(self.span([0], [Int.max]) == 0)
    }

    @Test func senselessFiguresAreRefused() {
        #expect(self.span([2], [1, 1]) == nil)
        #expect(self.span([-1], [1]) == nil)
        #expect(self.span([2], [-1]) == nil)
        #expect(self.span([2], [1], offset: -1) == nil)
        #expect(self.span([-1, 0], [1, 1]) == nil)
    }

    @Test func overflowIsRefused() {
        #expect(self.span([3], [Int.max / 2 + 1]) == nil, "distance")
        #expect(self.span([2, 2], [Int.max, 1]) == nil, "sum")
        #expect(self.span([2], [1], offset: .max) == nil)
        #expect(self.span([1], [1], offset: .max) == nil, "count")
        #expect(self.span([1], [1], offset: .max - 1, type: .float64) == nil, "bytes")
        #expect(self.span([Int.max], [Int.max]) == nil)
    }
}

@Suite struct ObjectLayoutTests {
    private func bytes(_ parts: [([Int], ElementType)]) -> Int? {
        ObjectLayout(parts: parts.map { ObjectLayout.Part(shape: $0.0, elementType: $0.1) })?.byteCount
    }

    @Test func partsAreAddedWithoutPadding() {
        #expect(self.bytes([([2, 28, 256, 1024], .bfloat16)]) == 29_360_128)
        #expect(self.bytes([([1, 3, 5, 7], .uint8), ([1, 1], .float32)]) == 109)
    }

    @Test func nothingOrLessIsRefused() {
        #expect(self.bytes([]) == nil)
        #expect(self.bytes([([2, 0], .int8)]) == nil)
        #expect(self.bytes([([2, -1], .int8)]) == nil)
        #expect(self.bytes([([1], .int8), ([0], .int8)]) == nil)
    }

    @Test func overflowIsRefused() {
        #expect(self.bytes([([Int.max, 2], .int8)]) == nil)
        #expect(self.bytes([([Int.max], .int16)]) == nil)
        #expect(self.bytes([([Int.max], .int8), ([1], .int8)]) == nil)
        #expect(self.bytes([([Int.max], .int8)]) == Int.max)
    }
}

@Suite struct ElementTypeTests {
    @Test(arguments: ElementType.allCases)
    func torchNamesAreReadWithAndWithoutPrefix(_ type: ElementType) {
        #expect(ElementType(torchName: type.rawValue) == type)
        #expect(ElementType(torchName: "torch." + type.rawValue) == type)
        #expect([1, 2, 4, 8].contains(type.byteCount))
    }

    @Test func otherNamesAreRefused() {
        for name in ["", "torch.", "torch.torch.int8", "Float32", "complex64"] {
            #expect(ElementType(torchName: name) == nil)
        }
    }
}
