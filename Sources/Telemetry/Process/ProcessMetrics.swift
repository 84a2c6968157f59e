// lmcache · SPDX-License-Identifier: Apache-2.0

/// Metrics of the process itself, under the names of Prometheus' clients, and `target_info`.
package enum ProcessMetrics {
    /// Every metric that `register` adds.
    package static let catalogue: [MetricDescription] = [
        .targetInfo, .processResidentMemory, .processVirtualMemory, .processCPU, .processStart, .processOpenDescriptors,
        .processMaximumDescriptors,
    ]

    /// Adds the metrics to `registry`; they are read from /proc at each scrape.
    package static func register(
        in registry: MetricsRegistry,
        instanceID: String,
        version: String = LMCacheVersion.current
    ) {
        registry.describe(Self.catalogue)
        let reader = ProcessReader()
        registry.observeGauge(
            .targetInfo,
            labels: [
                "service_instance_id": instanceID, "service_name": "lmcache", "service_version": version,
                "telemetry_sdk_language": "swift", "telemetry_sdk_name": "lmcache", "telemetry_sdk_version": version,
            ]
        ) { 1 }
        registry.observeGauge(.processResidentMemory) { Double(reader.read().residentBytes ?? 0) }
        registry.observeGauge(.processVirtualMemory) { Double(reader.read().virtualBytes ?? 0) }
        registry.observeCounter(MetricDescription.processCPU.name) { reader.read().cpuSeconds ?? 0 }
        registry.observeGauge(.processStart) { reader.read().startSeconds ?? 0 }
        registry.observeGauge(.processOpenDescriptors) { Double(ProcessReader.openDescriptors() ?? 0) }
        registry.observeGauge(.processMaximumDescriptors) { ProcessReader.descriptorLimit() ?? 0 }
    }
}

extension MetricDescription {
    static let targetInfo = MetricDescription(
        "target_info",
        .gauge,
        unit: "1",
        labels: [
            "service_instance_id", "service_name", "service_version", "telemetry_sdk_language", "telemetry_sdk_name",
            "telemetry_sdk_version",
        ],
        "Who is measured."
    )
    static let processResidentMemory = MetricDescription(
        "process_resident_memory_bytes",
        .gauge,
        unit: "bytes",
        "Resident memory, touched pages of the L1 segment included."
    )
    static let processVirtualMemory = MetricDescription(
        "process_virtual_memory_bytes",
        .gauge,
        unit: "bytes",
        "Address space in use."
    )
    static let processCPU = MetricDescription(
        "process_cpu_seconds_total",
        .counter,
        unit: "seconds",
        "Processor time used, user and system."
    )
    static let processStart = MetricDescription(
        "process_start_time_seconds",
        .gauge,
        unit: "seconds since 1970",
        "When the process started."
    )
    static let processOpenDescriptors = MetricDescription(
        "process_open_fds",
        .gauge,
        unit: "descriptors",
        "Open file descriptors."
    )
    static let processMaximumDescriptors = MetricDescription(
        "process_max_fds",
        .gauge,
        unit: "descriptors",
        "Limit of open file descriptors."
    )
}
