// lmcache · SPDX-License-Identifier: Apache-2.0

import KVModel

/// One tensor's axes from the slowest to the fastest in memory; tight but for the first one, which may be padded.
///
/// Wire protocol §4.1, step 1.
struct PhysicalOrder: Equatable {
    let shape: [Int]
    /// In elements.
    let firstStride: Int

    /// Elements of one step along the first axis, without padding.
    var tightFirstStride: Int { self.shape.dropFirst().reduce(1, *) }

    /// Sorts the axes by stride. `name` is what errors call the tensor.
    init(_ tensor: TensorDescription, name: String) throws(LayoutError) {
        guard let span = tensor.byteSpan else {
            throw .malformed(
                "\(name): shape \(tensor.shape), stride \(tensor.stride) and storage_offset \(tensor.storageOffset) "
                    + "must have equal ranks, not be negative and fit 63 bits")
        }
        guard span > 0, !tensor.shape.isEmpty else {
            throw .malformed("\(name): shape \(tensor.shape) has no elements; every axis must be at least 1")
        }
        // On equal strides an axis of size 1 goes innermost; the sort is otherwise stable.
        let axes = tensor.shape.indices.sorted { left, right in
            let (first, second) = (tensor.stride[left], tensor.stride[right])
            if first != second { return first > second }
            let (isFirstOne, isSecondOne) = (tensor.shape[left] == 1, tensor.shape[right] == 1)
            return isFirstOne == isSecondOne ? left < right : isSecondOne
        }
        self.shape = axes.map { tensor.shape[$0] }
        let strides = axes.map { tensor.stride[$0] }
        var expected = 1
        for axis in self.shape.indices.dropFirst().reversed() {
            // The stride of an axis of size 1 is never used.
            guard strides[axis] == expected || self.shape[axis] == 1 else {
                throw Self.refusal(tensor, name: name)
            }
            // Cannot overflow while strides match: the next stride was already counted in the span, or is checked here.
            let (product, overflowed) = expected.multipliedReportingOverflow(by: self.shape[axis])
            guard !overflowed else { throw Self.refusal(tensor, name: name) }
            expected = product
        }
        let isFirstFree = self.shape[0] == 1
        guard isFirstFree || strides[0] >= expected, isFirstFree || self.shape.count > 1 || strides[0] == 1 else {
            throw Self.refusal(tensor, name: name)
        }
        self.firstStride = self.shape[0] == 1 ? expected : strides[0]
    }

    private static func refusal(_ tensor: TensorDescription, name: String) -> LayoutError {
        .unsupported(
            "\(name): shape \(tensor.shape) with stride \(tensor.stride) leaves gaps; only the slowest axis may be "
                + "padded")
    }
}
