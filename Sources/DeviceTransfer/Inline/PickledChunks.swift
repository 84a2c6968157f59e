// lmcache · SPDX-License-Identifier: Apache-2.0

import Glibc
import KVModel

/// The list of tensors that a client pickles. Wire protocol §5.5.
struct PickledChunks {
    let input: [UInt8]
    let tensors: [PickledTensor]

    /// Reads a pickled list of tensors; the elements stay in `input`.
    init(_ input: [UInt8]) throws(PickleError) {
        var machine = PickleMachine(input: input)
        guard case .list(let index) = try machine.runStream() else { throw machine.error("the value is no list") }
        guard machine.position == input.count else { throw machine.error("bytes left over") }
        var tensors: [PickledTensor] = []
        for value in machine.lists[index] {
            guard case .tensor(let number) = value else { throw machine.error("an element of the list is no tensor") }
            tensors.append(machine.tensors[number])
        }
        self.input = input
        self.tensors = tensors
    }

    /// Writes tensor `index` in C order. `destination` must have its elements' size.
    func copy(_ index: Int, to destination: UnsafeMutableRawBufferPointer) {
        let (tensor, storage) = (self.tensors[index].tensor, self.tensors[index].storage)
        let element = tensor.elementType.byteCount
        self.input.withUnsafeBytes { input in
            let source = UnsafeRawBufferPointer(rebasing: input[storage])
            if tensor.isContiguous {
                let elements = source[(tensor.storageOffset * element)...].prefix(destination.count)
                destination.copyMemory(from: UnsafeRawBufferPointer(rebasing: elements))
                return
            }
            var position = 0
            tensor.forEachOffset { offset in
                let from = offset * element
                for byte in 0..<element { destination[position + byte] = source[from + byte] }
                position += element
            }
        }
    }
}

extension TensorDescription {
    /// True when the elements follow each other in C order.
    fileprivate var isContiguous: Bool {
        var expected = 1
        for (count, step) in zip(self.shape, self.stride).reversed() {
            if count != 1, step != expected { return false }
            expected = expected.multipliedReportingOverflow(by: count).partialValue
        }
        return true
    }

    /// Element offsets in C order, counted like an odometer.
    fileprivate func forEachOffset(_ body: (Int) -> Void) {
        guard !self.shape.contains(0) else { return }
        var index = [Int](repeating: 0, count: self.shape.count)
        var offset = self.storageOffset
        while true {
            body(offset)
            var axis = self.shape.count - 1
            while axis >= 0 {
                index[axis] += 1
                // Wrapping: the stride of an axis of size 1 may be any number, and is taken back at once.
                offset &+= self.stride[axis]
                if index[axis] < self.shape[axis] { break }
                offset &-= self.stride[axis] &* self.shape[axis]
                index[axis] = 0
                axis -= 1
            }
            if axis < 0 { return }
        }
    }
}
