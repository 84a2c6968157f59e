// lmcache · SPDX-License-Identifier: Apache-2.0

import AdminHTTP
import CacheEngine
import EngineKit
import KVModel
import ZMQTransport

/// One cache as its two fronts see it.
final class CacheSide: EngineSide {
    let receiver: any MessageReceiver
    let operations: any AdminOperations
    private let instance: CacheInstance
    private let replies: ReplyRoute
    private let tiers: TierOperations

    /// - Parameter surroundings: For second tiers that are added later.
    init(
        instance: CacheInstance, replies: ReplyRoute, configuration: ServerConfiguration,
        surroundings: AdapterSurroundings
    ) {
        self.instance = instance
        self.replies = replies
        self.receiver = ServiceReceiver(service: instance.service)
        let tiers = TierOperations(instance: instance, surroundings: surroundings)
        self.tiers = tiers
        self.operations = EngineOperations(engine: instance.engine, tiers: tiers, configuration: configuration)
    }

    func connect(_ send: @escaping @Sendable (_ frames: [[UInt8]], _ connection: ConnectionID) -> Void) {
        self.replies.connect(send)
    }

    func drain(milliseconds: Int) { self.instance.engine.drain(milliseconds: milliseconds) }

    func stop() {
        self.tiers.stop()
        self.instance.stop()
    }
}
