// lmcache · SPDX-License-Identifier: Apache-2.0

import Telemetry

/// `describe kvcache`: the parts of `/status` that people look at.
enum CacheDescription {
    /// Builds the report; fields that the server does not have show as N/A.
    static func report(_ status: JSONValue, url: String) -> Report {
        var report = Report(title: "LMCache KV Cache Service", width: 50)
        report.add("health", "Health", Self.health(status["is_healthy"]))
        report.add("url", "URL", .string(url))
        report.add("engine_type", "Engine type", status["engine_type"] ?? .null)
        report.add("chunk_size", "Chunk size", status["chunk_size"] ?? .null)
        Self.addPool(status["storage_manager"] ?? .null, to: &report)
        report.add("active_sessions", "Active sessions", status["active_sessions"] ?? .null)
        Self.addModels(status["cache_context_meta"] ?? .null, to: &report)
        Self.addAdapters(status["storage_manager"]?["l2_adapters"] ?? .null, to: &report)
        return report
    }

    private static func health(_ value: JSONValue?) -> JSONValue {
        switch value {
        case .bool(true): "OK"
        case .bool(false): "UNHEALTHY"
        default: .null
        }
    }

    private static func addPool(_ storage: JSONValue, to report: inout Report) {
        let pool = storage["l1_manager"] ?? .null
        let gib = 1_073_741_824.0
        // The pool grows as it fills: what is backed by now says little about its size.
        let total = (pool["memory_configured_bytes"] ?? pool["memory_total_bytes"])?.number
        report.add(
            "l1_capacity_gb",
            "L1 capacity (GB)",
            total.map { .double(Decimals.rounded($0 / gib, 2)) } ?? .null
        )
        var used = JSONValue.null
        if let bytes = pool["memory_used_bytes"]?.number, let ratio = pool["memory_usage_ratio"]?.number {
            used = .string("\(Decimals.text(bytes / gib, 2)) (\(Decimals.text(ratio * 100, 1))%)")
        }
        report.add("l1_used_gb", "L1 used (GB)", used)
        let eviction = storage["eviction_controller"] ?? storage["l1_eviction_controller"]
        report.add("eviction_policy", "Eviction policy", eviction?["eviction_policy"] ?? .null)
        report.add("cached_objects", "Cached objects", pool["total_object_count"] ?? .null)
    }

    /// One section for each model and world size, with the instances that serve it.
    private static func addModels(_ contexts: JSONValue, to report: inout Report) {
        guard case .object(let members) = contexts else { return }
        var models: [(name: String, worldSize: JSONValue, layout: JSONValue, instances: [String])] = []
        for (instance, context) in members {
            let name = context["model_name"]?.text ?? "?"
            let worldSize = context["world_size"] ?? .null
            if let position = models.firstIndex(where: { $0.name == name && $0.worldSize == worldSize }) {
                models[position].instances.append(instance)
            } else {
                models.append((name, worldSize, context["kv_cache_layout"] ?? .null, [instance]))
            }
        }
        for model in models {
            var section = Report.Section(group: "models", label: "Model: \(model.name)")
            section.add("model", "Model", .string(model.name))
            section.add("world_size", "World size", model.worldSize)
            section.add("gpu_ids", "GPU IDs", .string(model.instances.joined(separator: ", ")))
            section.add(present: Self.layoutFields, of: model.layout)
            report.add(section)
            Self.addKernelGroups(model.layout["kernel_groups"] ?? .null, model: model.name, to: &report)
        }
    }

    private static let layoutFields = [
        ("num_layers", "Num layers"), ("num_blocks", "Num blocks"),
        ("cache_size_per_token", "Cache size per token (bytes)"),
    ]

    private static let kernelGroupFields = [
        ("kernel_group_idx", "Kernel group index"), ("engine_group_idx", "Engine group index"),
        ("object_group_idx", "Object group index"), ("num_layers", "Num layers"),
        ("tokens_per_block", "Tokens per block"), ("slots_per_block", "Slots per block"), ("dtype", "Dtype"),
        ("is_mla", "MLA"), ("attention_backend", "Attention backend"), ("engine_kv_shape", "Engine KV shape"),
        ("engine_kv_concrete_shape", "Engine KV tensor shape"),
    ]

    private static func addKernelGroups(_ groups: JSONValue, model: String, to report: inout Report) {
        guard case .array(let groups) = groups else { return }
        for group in groups {
            let index = group["kernel_group_idx"].map { $0.serialized(indent: nil) } ?? "?"
            var section = Report.Section(group: "kernel_groups", label: "Kernel group \(index) (\(model))")
            section.add("model", "Model", .string(model))
            section.add(present: Self.kernelGroupFields, of: group)
            report.add(section)
        }
    }

    private static func addAdapters(_ adapters: JSONValue, to report: inout Report) {
        guard case .array(let adapters) = adapters else { return }
        for adapter in adapters {
            let type = adapter["type"]?.text ?? "Unknown"
            var section = Report.Section(group: "l2_adapters", label: "L2: \(type)")
            section.add("type", "Type", .string(type))
            section.add("health", "Health", Self.health(adapter["is_healthy"]))
            section.add(
                present: [
                    ("backend", "Backend"), ("base_path", "Base path"), ("stored_object_count", "Stored objects"),
                ],
                of: adapter
            )
            report.add(section)
        }
    }
}

extension Report.Section {
    /// Appends those of `fields` that `object` has.
    fileprivate mutating func add(present fields: [(key: String, label: String)], of object: JSONValue) {
        for field in fields {
            if let value = object[field.key] { self.add(field.key, field.label, value) }
        }
    }
}
