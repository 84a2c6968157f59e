// lmcache · SPDX-License-Identifier: Apache-2.0

/// Where the elements of one tensor lie, relative to the start of its storage.
///
/// Axes and strides as the client sends them, in physical order; all counts in elements.
package struct TensorDescription: Sendable, Equatable {
    package var elementType: ElementType
    package var shape: [Int]
    /// Same count as `shape`; not negative.
    package var stride: [Int]
    package var storageOffset: Int

    package init(elementType: ElementType, shape: [Int], stride: [Int], storageOffset: Int) {
        self.elementType = elementType
        self.shape = shape
        self.stride = stride
        self.storageOffset = storageOffset
    }

    /// Bytes from the start of the storage to the end of the last element; 0 when any axis is empty.
    ///
    /// Nil when the figures overflow, are negative, or shape and stride differ in rank.
    package var byteSpan: Int? {
        guard self.shape.count == self.stride.count, self.storageOffset >= 0 else { return nil }
        guard self.shape.allSatisfy({ $0 >= 0 }), self.stride.allSatisfy({ $0 >= 0 }) else { return nil }
        if self.shape.contains(0) { return 0 }
        var last = self.storageOffset
        for (count, step) in zip(self.shape, self.stride) {
            let (distance, overflowed) = (count - 1).multipliedReportingOverflow(by: step)
            let (sum, overflowedSum) = last.addingReportingOverflow(distance)
            if overflowed || overflowedSum { return nil }
            last = sum
        }
        let (count, overflowedCount) = last.addingReportingOverflow(1)
        let (bytes, overflowedBytes) = count.multipliedReportingOverflow(by: self.elementType.byteCount)
        return overflowedCount || overflowedBytes ? nil : bytes
    }
}
