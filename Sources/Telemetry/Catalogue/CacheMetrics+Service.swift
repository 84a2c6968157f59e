// lmcache · SPDX-License-Identifier: Apache-2.0

extension CacheMetrics {
    /// A request that was answered with a refusal; `operation` is the protocol's name or `unknown`.
    package func requestRefused(operation: String, reason: StaticString) {
        let key = ServiceSeries.Refusal(operation: operation, reason: reason.description)
        self.service.refusals[key].increment()
    }

    /// A registration was dropped for silence or because its process was gone.
    package func workerReaped() { self.service.reapedWorkers.increment() }

    /// A ping was answered false.
    package func pingFalse() { self.service.unregisteredPings.increment() }

    /// A wait inside the server ran into its limit.
    package func timedOut(kind: StaticString) { self.service.timeouts[kind.description].increment() }

    /// Says where the number of records kept for KV event subscribers comes from.
    package func observeKVEventLogDepth(_ read: @escaping @Sendable () -> Int) {
        self.registry.observeGauge(.kvEventsLogDepth) { Double(read()) }
    }

    /// Says where the number of registered workers comes from.
    package func observeRegisteredWorkers(_ read: @escaping @Sendable () -> Int) {
        self.registry.observeGauge(.registeredWorkers) { Double(read()) }
    }

    /// Says where the number of request sessions comes from.
    package func observeActiveSessions(_ read: @escaping @Sendable () -> Int) {
        self.registry.observeGauge(.activeSessions) { Double(read()) }
    }

    /// Says where the number of replies that reached nobody comes from; it must never go down.
    package func observeDroppedReplies(_ read: @escaping @Sendable () -> Int) {
        self.registry.observeCounter(MetricDescription.droppedReplies.name) { Double(read()) }
    }
}
