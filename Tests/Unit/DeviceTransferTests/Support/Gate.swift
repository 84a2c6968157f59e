// lmcache · SPDX-License-Identifier: Apache-2.0

import NativeThreads
import Synchronization

@testable import DeviceTransfer

/// Something that a thread waits for.
final class Gate: Sendable {
    private let state = Monitor(false)

    func open() { self.state.change { $0 = true } }

    func wait() { _ = self.state.wait(milliseconds: 30_000) { $0 ? true : nil } }
}

/// Closes memory on a thread of its own.
final class ClosingThread: Sendable {
    private let memory: any EngineMemory
    private let done = Atomic<Bool>(false)
    private let thread: Mutex<NativeThread?> = Mutex(nil)

    init(_ memory: any EngineMemory) {
        self.memory = memory
        let closing = NativeThread(name: "closing") { [self] in
            self.memory.close()
            self.done.store(true, ordering: .releasing)
        }
        self.thread.withLock { $0 = closing }
    }

    var isDone: Bool { self.done.load(ordering: .acquiring) }

    /// Until the memory takes no more work, which it says before it waits.
    func waitUntilClosed() {
        let pause = StopSignal()
        while self.memory.isCurrent { _ = pause.wait(milliseconds: 1) }
    }

    func join() { self.thread.withLock { $0.take() }?.join() }
}
