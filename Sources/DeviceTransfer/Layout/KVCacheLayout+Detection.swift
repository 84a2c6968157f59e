// lmcache · SPDX-License-Identifier: Apache-2.0

package import KVModel

extension KVCacheLayout {
    /// Finds the layout of a registration.
    ///
    /// - Parameters:
    ///   - chunkSize: Tokens of one chunk.
    ///   - separateObjectGroups: One object group for each window and state kind, not one for all layers.
    ///   - deviceIsCPU: The device that serves it, which decides the axis order where the engine gave no hint.
    /// - Throws: ``LayoutError`` with a text that names the tensor or group and what is accepted.
    package static func detect(
        _ registration: KVCacheRegistration, chunkSize: Int, separateObjectGroups: Bool, deviceIsCPU: Bool
    ) throws(LayoutError) -> KVCacheLayout {
        throw .unsupported("not written yet")
    }

    /// The one object layout of an engine-driven registration: `[2, layers, slots, hidden]`, or
    /// `[layers, slots, hidden]` for one plane. Wire protocol §5.1.
    package static func engineDriven(
        _ registration: EngineDrivenRegistration, chunkSize: Int
    ) throws(LayoutError) -> ObjectLayout {
        let slots = registration.slotCount ?? chunkSize
        let shape = [registration.layerCount, slots, registration.hiddenSize]
        let part = ObjectLayout.Part(
            shape: registration.isMLA ? shape : [2] + shape, elementType: registration.elementType)
        guard let layout = ObjectLayout(parts: [part]) else {
            throw .malformed(
                "num_layers, num_physical_slots and hidden_dim_size are \(shape); each must be positive and the object "
                    + "must have a size that fits 63 bits")
        }
        return layout
    }
}
