// lmcache · SPDX-License-Identifier: Apache-2.0

import KVModel

@testable import DeviceTransfer

/// Strides of a C-order tensor; `padding` elements more between steps of the first axis.
func strides(of shape: [Int], padding: Int = 0) -> [Int] {
    guard !shape.isEmpty else { return [] }
    var strides = [Int](repeating: 1, count: shape.count)
    for axis in stride(from: shape.count - 2, through: 0, by: -1) {
        strides[axis] = strides[axis + 1] * shape[axis + 1]
    }
    strides[0] += padding
    return strides
}

func tensor(
    _ shape: [Int], stride: [Int]? = nil, type: ElementType = .float16, offset: Int = 0, name: String = "/kv",
    byteCount: Int? = nil
) -> MemoryDescriptor {
    let tensor = TensorDescription(
        elementType: type, shape: shape, stride: stride ?? strides(of: shape), storageOffset: offset)
    return MemoryDescriptor(
        storage: .cpuSharedMemory(name: name, byteCount: byteCount ?? tensor.byteSpan ?? 0), tensor: tensor,
        deviceUUID: "cpu")
}

func registration(
    _ tensors: [MemoryDescriptor], engine: EngineKind = .vllm, hints: LayoutHints = LayoutHints(),
    groups: [EngineGroup] = []
) -> KVCacheRegistration {
    KVCacheRegistration(
        instanceID: InstanceID(7), modelName: "m", worldSize: 1, engine: engine, tensors: tensors, hints: hints,
        groups: groups)
}

func detect(
    _ registration: KVCacheRegistration, chunkSize: Int, separate: Bool = false, deviceIsCPU: Bool = true
) throws -> KVCacheLayout {
    try KVCacheLayout.detect(
        registration, chunkSize: chunkSize, separateObjectGroups: separate, deviceIsCPU: deviceIsCPU)
}

extension LayoutHints {
    /// From the wire's spelling.
    init(spelled hints: [String: String]) {
        self.init(
            kvLayout: hints["kv_layout"].flatMap(KVLayout.init), kvHeadCount: hints["num_kv_heads"].flatMap { Int($0) },
            tokensPerBlock: hints["tokens_per_block"].flatMap { Int($0) },
            listLayout: hints["kv_list_layout"].flatMap(ListLayout.init),
            headDimension: hints["head_dim"].flatMap { Int($0) })
    }
}
