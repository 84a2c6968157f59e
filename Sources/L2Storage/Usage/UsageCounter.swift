// lmcache · SPDX-License-Identifier: Apache-2.0

package import KVModel
internal import NativeThreads
internal import Synchronization

/// Finds out in the background what a medium held before this process began, a page at a time, behind the traffic.
///
/// One thread, which ends with the count or with ``stop()``.
package final class UsageCounter: Sendable {
    /// One object of a page.
    package struct Counted: Sendable {
        package let key: ObjectKey
        package let byteCount: Int
        /// Larger is later; only compared. When it was used or written last.
        package let lastUse: Int64

        package init(key: ObjectKey, byteCount: Int, lastUse: Int64) {
            self.key = key
            self.byteCount = byteCount
            self.lastUse = lastUse
        }
    }

    /// Some of the objects, and where the next page begins; nil after the last one.
    package struct Page: Sendable {
        package var objects: [Counted]
        package var next: String?

        package init(objects: [Counted], next: String?) {
            self.objects = objects
            self.next = next
        }
    }

    /// Whether nobody waits for the page any more.
    package typealias IsStopped = @Sendable () -> Bool

    private let accounts: ObjectAccounts
    private let page: @Sendable (String?, @escaping IsStopped) -> Result<Page, L2Failure>
    private let isBusy: @Sendable () -> Bool
    private let signal = StopSignal()
    private let isEnding = Atomic<Bool>(false)
    private let thread = Mutex<NativeThread?>(nil)

    /// Pause between two pages, and how often it is made while others use the medium.
    private static let pauseMilliseconds = 2
    private static let busyPauses = 20
    /// Places in the order of use that are put right under one lock.
    private static let sortedAtOnce = 2048

    /// - Parameters:
    ///   - isBusy: Whether others use the medium now, and shall come first.
    ///   - page: Asks for the page of a cursor; blocks, for about a second at most after it is told to stop.
    package init(
        accounts: ObjectAccounts, isBusy: @escaping @Sendable () -> Bool,
        page: @escaping @Sendable (String?, @escaping IsStopped) -> Result<Page, L2Failure>
    ) {
        self.accounts = accounts
        self.isBusy = isBusy
        self.page = page
        accounts.beginCount()
    }

    /// Starts the thread. Once.
    package func start(name: String) {
        let thread = NativeThread(name: name) { @Sendable [self] in self.count() }
        self.thread.withLock { $0 = thread }
    }

    /// Ends the count where it is, and waits for the thread.
    package func stop() {
        self.isEnding.store(true, ordering: .relaxed)
        self.signal.raise()
        self.thread.withLock { thread in
            defer { thread = nil }
            return thread
        }?.join()
    }

    /// Counts on this thread until the end.
    package func count() {
        var progress = CountProgress()
        var cursor: String?
        while !self.isEnding.load(ordering: .relaxed) {
            switch progress.next(after: self.takePage(cursor)) {
            case .end: return self.finish()
            case .page(let next):
                cursor = next
                self.accounts.countGoesOn(true)
                guard self.letOthersPass() else { return }
            case .pause(let milliseconds, let next):
                cursor = next
                self.accounts.countGoesOn(progress.isGettingOn)
                guard !self.signal.wait(milliseconds: milliseconds) else { return }
            }
        }
    }

    private func takePage(_ cursor: String?) -> CountProgress.Outcome {
        let page = self.page(cursor) { [weak self] in self?.isEnding.load(ordering: .relaxed) ?? true }
        guard case .success(let page) = page else { return .failed }
        self.accounts.restore(page.objects)
        return .taken(next: page.next)
    }

    /// False when the count shall end.
    private func letOthersPass() -> Bool {
        for _ in 0..<Self.busyPauses {
            guard !self.signal.wait(milliseconds: Self.pauseMilliseconds) else { return false }
            guard self.isBusy() else { break }
        }
        return true
    }

    private func finish() {
        var order = self.accounts.takeRestored().sorted { $0.lastUse < $1.lastUse }
        // From the latest on, each to the old end: what was used meanwhile stays ahead of all.
        while !order.isEmpty, !self.isEnding.load(ordering: .relaxed) {
            self.accounts.putFirst(order.suffix(Self.sortedAtOnce).reversed())
            order.removeLast(min(order.count, Self.sortedAtOnce))
        }
        self.accounts.endCount()
    }
}
