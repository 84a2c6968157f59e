// lmcache · SPDX-License-Identifier: Apache-2.0

import L2Storage
import NativeThreads
import Synchronization

/// One adapter with its breaker and the thread that asks it for manifests.
final class Tier: Sendable {
    let id: TierID
    /// Names the tier in metrics; unique.
    let name: String
    let description: TierDescription
    let adapter: any L2Adapter
    let eviction: TierEviction?
    private let breaker: Mutex<L2Breaker>
    private let draining = Atomic<Bool>(false)
    private let binder: Binder?

    init(
        id: TierID, name: String, adapter: any L2Adapter, description: TierDescription,
        breaker: L2Breaker.Settings, runsThreads: Bool
    ) {
        self.id = id
        self.name = name
        self.adapter = adapter
        self.description = description
        self.eviction = description.eviction.map { TierEviction($0) }
        self.breaker = Mutex(L2Breaker(breaker))
        self.binder = runsThreads ? Binder(adapter) : nil
    }

    var isDraining: Bool { self.draining.load(ordering: .relaxed) }

    func startDraining() { self.draining.store(true, ordering: .relaxed) }

    // MARK: Breaker

    /// True when ``request(now:)`` would not refuse.
    func mayPass(now: L2Instant) -> Bool {
        switch self.breaker.withLock({ $0.state }) {
        case .closed: true
        case .open(let until), .halfOpen(let until): until <= now
        }
    }

    func request(now: L2Instant) -> Bool { self.breaker.withLock { $0.request(now: now) } != .refuse }

    /// What the end of a task says about the medium.
    enum Evidence: Sendable {
        case answers, fails
        /// Nothing: it was never asked, or nobody waited.
        case none
    }

    /// Returns true when the breaker opened or closed just now.
    func report(_ evidence: Evidence, now: L2Instant) -> Bool {
        self.breaker.withLock { breaker in
            let before = breaker.isOpen
            switch evidence {
            case .answers: breaker.succeeded()
            case .fails: breaker.failed(now: now)
            case .none:
                // A probe must end, or nothing passes for a long time.
                if case .halfOpen = breaker.state { breaker.failed(now: now) }
            }
            return before != breaker.isOpen
        }
    }

    var isAnswering: Bool { self.breaker.withLock { !$0.isOpen } }
    var breakerOpenings: UInt64 { self.breaker.withLock { $0.openings } }

    // MARK: Manifests

    /// Compares a manifest with the medium's; `completion` runs here or on the tier's own thread.
    func bind(_ manifest: L2NamespaceManifest, completion: @escaping @Sendable (L2Binding) -> Void) {
        guard let binder else { return completion(self.adapter.bind(to: manifest)) }
        if !binder.push(manifest, completion) { completion(.failed(.unavailable)) }
    }

    /// Ends the tier's threads. False when a transfer still runs.
    func close(milliseconds: Int) -> Bool {
        let isBinderDone = self.binder?.close(milliseconds: milliseconds) ?? true
        return self.adapter.close(milliseconds: milliseconds) && isBinderDone
    }
}

extension L2Breaker {
    /// Nothing but a probe passes.
    var isOpen: Bool { self.state != .closed }
}

/// Makes an adapter's blocking comparisons, one after the other, on a thread of its own.
private final class Binder: Sendable {
    private struct Call: Sendable {
        let manifest: L2NamespaceManifest
        let completion: @Sendable (L2Binding) -> Void
    }

    private let queue = BoundedQueue<Call>(capacity: 1024)
    private let ended = StopSignal()
    private let thread = Mutex<NativeThread?>(nil)

    init(_ adapter: any L2Adapter) {
        let (queue, ended) = (self.queue, self.ended)
        let thread = NativeThread(name: "l2-binder") { @Sendable in
            while let call = queue.pop() { call.completion(adapter.bind(to: call.manifest)) }
            ended.raise()
        }
        self.thread.withLock { $0 = thread }
    }

    func push(_ manifest: L2NamespaceManifest, _ completion: @escaping @Sendable (L2Binding) -> Void) -> Bool {
        self.queue.push(Call(manifest: manifest, completion: completion))
    }

    func close(milliseconds: Int) -> Bool {
        self.queue.close()
        guard self.ended.wait(milliseconds: milliseconds) else { return false }
        self.thread.withLock { thread in
            defer { thread = nil }
            return thread
        }?.join()
        return true
    }
}
