// lmcache · SPDX-License-Identifier: Apache-2.0

/// Where the rows of a kernel group lie in the engine's tensors.
///
/// Every format is one linear rule: element d of head h of slot s of block b of one plane of one layer lies
/// `b × blockStride + s × slotStride + h × headStride + d` elements after that plane's origin. Wire protocol §4.4.
package struct PageGeometry: Sendable, Equatable {
    /// The first element of one plane of one layer.
    package struct Origin: Sendable, Equatable {
        /// Index into the registered tensors.
        package let tensor: Int
        /// In elements, after the tensor's own first element.
        package let offset: Int
        /// In elements; may differ between layers when blocks are padded.
        package let blockStride: Int
    }

    /// Plane by plane and, inside a plane, layer by layer: the order of an object's bytes.
    package let origins: [Origin]
    /// In elements.
    package let slotStride: Int
    /// In elements.
    package let headStride: Int
}
