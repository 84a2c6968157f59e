// lmcache · SPDX-License-Identifier: Apache-2.0

import KVModel

/// Finds each layer's format. Wire protocol §4.1, step 2.
struct LayerDetection {
    let registration: KVCacheRegistration
    let deviceIsCPU: Bool

    /// Layers of the registration: tensors, but for layouts that spread or gather layers.
    func layerCount() throws(LayoutError) -> Int {
        let tensors = self.registration.tensors
        guard !tensors.isEmpty else { throw .malformed("kv_caches is empty; at least one tensor is needed") }
        if self.registration.engine == .trtllm {
            let shape = try self.order(0).shape
            guard shape.count == 4 else { throw self.blocksLayersRefusal(shape) }
            return shape[1]
        }
        guard self.hasKeyAndValueLists else { return tensors.count }
        guard tensors.count % 2 == 0 else {
            throw .malformed(
                "kv_caches has \(tensors.count) tensors; kv_list_layout k_v needs an even count, keys then values")
        }
        return tensors.count / 2
    }

    /// Reads layer number `layer`, which must be below ``layerCount()``.
    func layer(_ layer: Int) throws(LayoutError) -> LayerPages {
        switch self.registration.engine {
        case .vllm: try self.vllmLayer(layer)
        case .sglang: try self.sglangLayer(layer)
        case .trtllm: try self.blocksLayersLayer(layer)
        case .atom: try self.atomLayer(layer)
        case .mock: throw .unsupported("engine_type mock has no KV layout; accepted are vllm, sglang, trtllm and atom")
        }
    }

    private func order(_ tensor: Int) throws(LayoutError) -> PhysicalOrder {
        try PhysicalOrder(self.registration.tensors[tensor].tensor, name: "tensor \(tensor)")
    }

    private func elementType(_ tensor: Int) -> ElementType { self.registration.tensors[tensor].tensor.elementType }
}

// MARK: vLLM and ATOM

extension LayerDetection {
    private var isHeadMajor: Bool {
        switch self.registration.hints.kvLayout {
        case .hnd, .blhnc: true
        case .nhd, .blnhc: false
        case nil: self.deviceIsCPU
        }
    }

    private func vllmLayer(_ tensor: Int) throws(LayoutError) -> LayerPages {
        let order = try self.order(tensor)
        let type = self.elementType(tensor)
        let format = try self.vllmFormat(order.shape, type, tensor)
        return try LayerPages(format: format, order: order, elementType: type, tensor: tensor)
    }

    private func vllmFormat(_ shape: [Int], _ type: ElementType, _ tensor: Int) throws(LayoutError) -> KVFormat {
        let isIndexer = type == .uint8 && shape[shape.count - 1] == 132
        switch shape.count {
        case 3 where isIndexer, 4 where isIndexer && shape[self.isHeadMajor ? 1 : 2] == 1:
            throw .unsupported(
                "tensor \(tensor): uint8 with 132 bytes a slot is a sparse-attention indexer cache (format 14), whose "
                    + "object bytes are not settled; run without it or leave the layer out of the engine groups")
        case 3: return .latent
        case 4: return self.isHeadMajor ? .packedHeadsSlots : .packedSlotsHeads
        case 5 where shape[0] == 2: return self.isHeadMajor ? .planesBlocksHeadsSlots : .planesBlocksSlotsHeads
        case 5 where shape[1] == 2: return self.isHeadMajor ? .blocksPlanesHeadsSlots : .blocksPlanesSlotsHeads
        case 6 where shape[0] == 2 && shape[3] == 1:
            throw .unsupported("tensor \(tensor): shape \(shape) is the RBLN layout (format 15), which is not served")
        default:
            throw .unsupported(
                "tensor \(tensor): shape \(shape) is no known vllm layout; accepted are [blocks, slots, size], "
                    + "[blocks, slots, heads, packed size], [2, blocks, slots, heads, size] and "
                    + "[blocks, 2, slots, heads, size], also with heads before slots; not the nested lists of Ascend "
                    + "(formats 16 and 17)")
        }
    }

    private func atomLayer(_ tensor: Int) throws(LayoutError) -> LayerPages {
        let order = try self.order(tensor)
        guard order.shape.count == 3 else {
            throw .unsupported(
                "tensor \(tensor): shape \(order.shape) is no known atom layout; accepted is [blocks, slots, size]")
        }
        return try LayerPages(
            format: .latent, order: order, elementType: self.elementType(tensor), tensor: tensor)
    }
}

// MARK: SGLang

extension LayerDetection {
    private var hasKeyAndValueLists: Bool {
        self.registration.engine == .sglang && self.registration.hints.listLayout == .keysThenValues
    }

    private func sglangLayer(_ layer: Int) throws(LayoutError) -> LayerPages {
        let order = try self.order(layer)
        let type = self.elementType(layer)
        let rank = order.shape.count
        if self.registration.hints.listLayout == .unified {
            guard rank == 3 || rank == 4 else {
                throw .unsupported(
                    "tensor \(layer): shape \(order.shape) is no known sglang unified layout; accepted are "
                        + "[blocks, slots, size] and [blocks, slots, heads, size]")
            }
            return try LayerPages(
                format: rank == 3 ? .latent : .component, order: order, elementType: type, tensor: layer)
        }
        guard let tokensPerBlock = self.registration.hints.tokensPerBlock else {
            throw .unsupported("layout_hints has no tokens_per_block; sglang needs it unless kv_list_layout is unified")
        }
        if self.hasKeyAndValueLists, rank == 3 {
            let half = self.registration.tensors.count / 2
            let values = try self.order(layer + half)
            guard self.elementType(layer + half) == type else {
                throw .mismatch("tensors \(layer) and \(layer + half): keys and values differ in dtype")
            }
            return try LayerPages(
                keys: order, values: values, elementType: type, tokensPerBlock: tokensPerBlock, layer: layer,
                layerCount: half)
        }
        guard rank == 3, order.shape[1] == 1 else {
            throw .unsupported(
                "tensor \(layer): shape \(order.shape) is no known sglang layout; accepted are [slots, heads, size] "
                    + "with kv_list_layout k_v, and [slots, 1, size]")
        }
        return try LayerPages(splitting: order, elementType: type, tokensPerBlock: tokensPerBlock, tensor: layer)
    }
}

// MARK: TensorRT-LLM

extension LayerDetection {
    private func blocksLayersLayer(_ layer: Int) throws(LayoutError) -> LayerPages {
        let order = try self.order(0)
        let hints = self.registration.hints
        guard self.registration.tensors.count == 1, order.shape.count == 4, order.shape[2] == 2 else {
            throw self.blocksLayersRefusal(order.shape)
        }
        guard let heads = hints.kvHeadCount, let slots = hints.tokensPerBlock, let size = hints.headDimension else {
            throw .unsupported("layout_hints needs num_kv_heads, tokens_per_block and head_dim for trtllm")
        }
        let (rows, overflowedRows) = heads.multipliedReportingOverflow(by: slots)
        let (flat, overflowedFlat) = rows.multipliedReportingOverflow(by: size)
        guard heads > 0, slots > 0, size > 0, !overflowedRows, !overflowedFlat, flat == order.shape[3] else {
            throw .mismatch(
                "tensor 0: its last axis has \(order.shape[3]) elements; num_kv_heads \(heads) × tokens_per_block "
                    + "\(slots) × head_dim \(size) must be as many")
        }
        guard order.firstStride == order.tightFirstStride else {
            throw .unsupported(
                "tensor 0: shape \(order.shape) is padded on its first axis; trtllm tensors must be tight")
        }
        return LayerPages(
            layer: layer, layerCount: order.shape[1], blockCount: order.shape[0], headCount: heads,
            slotsPerBlock: slots, headSize: size, elementType: self.elementType(0))
    }

    private func blocksLayersRefusal(_ shape: [Int]) -> LayoutError {
        .unsupported(
            "kv_caches has \(self.registration.tensors.count) tensors, the first of shape \(shape); trtllm needs one "
                + "tensor [blocks, layers, 2, heads × slots × head size]")
    }
}
