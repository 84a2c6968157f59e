// lmcache · SPDX-License-Identifier: Apache-2.0

import CSystemShims
import Glibc

/// A named POSIX thread that runs one closure.
///
/// Plain threads and no Swift tasks: after a fork tasks never run in the child, and the in-process library must
/// survive one (docs/decisions/002-threads.md).
package final class NativeThread: Sendable {
    private let handle: pthread_t

    /// Starts a thread.
    ///
    /// - Parameters:
    ///   - name: Shown by the system's tools; 15 characters are kept.
    ///   - body: Runs once on the new thread. Must be a `@Sendable` closure or a free function: a closure literal that
    ///     inherits main-actor isolation traps on another thread.
    package init(name: String, body: @escaping @Sendable () -> Void) {
        let boxed = Unmanaged.passRetained(ThreadBody(name: name, run: body))
        var thread = pthread_t()
        let result = pthread_create(&thread, nil, { startThread($0) }, boxed.toOpaque())
        precondition(result == 0, "pthread_create failed for thread \(name): errno \(result)")
        self.handle = thread
    }

    /// Waits until the body has returned. Call it once, from another thread.
    package func join() {
        let result = pthread_join(self.handle, nil)
        precondition(result == 0, "a thread is joined once and never by itself: errno \(result)")
    }
}

private final class ThreadBody: Sendable {
    let name: String
    let run: @Sendable () -> Void

    init(name: String, run: @escaping @Sendable () -> Void) {
        self.name = name
        self.run = run
    }
}

private func startThread(_ argument: UnsafeMutableRawPointer?) -> UnsafeMutableRawPointer? {
    guard let argument else { return nil }
    let body = Unmanaged<ThreadBody>.fromOpaque(argument).takeRetainedValue()
    lmc_thread_set_name(body.name)
    body.run()
    return nil
}
