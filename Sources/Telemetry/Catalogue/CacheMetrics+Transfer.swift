// lmcache · SPDX-License-Identifier: Apache-2.0

extension CacheMetrics {
    /// Registers a device's counters at zero.
    package func announceDevice(_ device: String) { _ = self.transfers.perDevice[device] }

    package func storeSubmitted(device: String) { self.transfers.perDevice[device].storesSubmitted.increment() }

    /// A store left the device's queue.
    ///
    /// `seconds` span the copy; without bytes or time no speed is recorded.
    package func storeFinished(device: String, instance: String, model: String, bytes: Int, seconds: Double) {
        self.transfers.perDevice[device].storesFinished.increment()
        guard let speed = Self.gigabytesPerSecond(bytes, seconds) else { return }
        let key = ThroughputSeries.Key(device: device, instance: instance, model: model)
        self.transfers.throughput[key].store.record(speed)
    }

    package func retrieveSubmitted(device: String) { self.transfers.perDevice[device].retrievesSubmitted.increment() }

    /// A retrieve left the device's queue; `chunks` is 0 when it failed.
    package func retrieveFinished(
        device: String,
        instance: String,
        model: String,
        salt: String,
        chunks: Int,
        bytes: Int,
        seconds: Double
    ) {
        self.transfers.perDevice[device].retrievesFinished.increment()
        if chunks > 0 {
            let key = TransferSeriesTables.LoadedKey(instance: instance, model: model, salt: salt)
            self.transfers.chunksLoaded[key].increment(by: chunks)
        }
        guard let speed = Self.gigabytesPerSecond(bytes, seconds) else { return }
        let key = ThroughputSeries.Key(device: device, instance: instance, model: model)
        self.transfers.throughput[key].load.record(speed)
    }

    private static func gigabytesPerSecond(_ bytes: Int, _ seconds: Double) -> Double? {
        bytes > 0 && seconds > 0 ? Double(bytes) / seconds / 1e9 : nil
    }
}
