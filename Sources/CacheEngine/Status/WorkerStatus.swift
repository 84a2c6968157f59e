// lmcache · SPDX-License-Identifier: Apache-2.0

import DeviceTransfer
import KVModel
import Telemetry

extension WorkerRegistration {
    /// One member of `cache_context_meta`.
    func statusReport() -> JSONValue {
        let layout = self.memory.layout
        return [
            "model_name": .string(self.request.modelName),
            "world_size": .integer(self.request.worldSize),
            "kv_cache_layout": [
                "num_layers": .integer(layout.layerCount),
                "num_blocks": .integer(layout.blockCount),
                "cache_size_per_token": .integer(layout.bytesPerToken),
                "kernel_groups": .array(layout.kernelGroups.map { $0.statusReport() }),
            ],
        ]
    }
}

extension DeviceReport {
    /// One member of `transfer_devices`.
    func statusReport() -> JSONValue {
        .object(
            [("is_healthy", .bool(self.isHealthy))] + self.figures.map { ($0.name, .integer($0.value)) }
                + [("notes", .array(self.notes.map { .string($0) }))])
    }
}

extension KernelGroup {
    fileprivate func statusReport() -> JSONValue {
        [
            "kernel_group_idx": .integer(self.index),
            "engine_group_idx": .integer(self.engineGroupID),
            "object_group_idx": .integer(self.objectGroup),
            "num_layers": .integer(self.layerCount),
            "layer_indices": .array(self.layerIndices.map { .integer($0) }),
            "tokens_per_block": .integer(self.tokensPerBlock),
            "slots_per_block": .integer(self.slotsPerBlock),
            "dtype": .string("torch." + self.elementType.rawValue),
            "engine_kv_concrete_shape": .string(self.concreteShape),
            "is_mla": .bool(self.isMLA),
            "engine_kv_format": .string(self.format.name),
            "engine_kv_shape": .string(self.format.symbolicShape),
            "attention_backend": .string(self.format.attentionBackend),
        ]
    }
}

extension EngineDrivenWorker {
    /// One member of `non_cuda_context_meta`.
    func statusReport() -> JSONValue {
        [
            "model_name": .string(self.request.modelName),
            "world_size": .integer(self.request.worldSize),
            "block_size": .integer(self.request.blockSize),
            "use_mla": .bool(self.request.isMLA),
        ]
    }
}
