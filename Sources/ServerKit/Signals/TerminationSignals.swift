// lmcache · SPDX-License-Identifier: Apache-2.0

import Glibc

/// Something that says when the server should end.
package protocol TerminationSource {
    /// Blocks until the end is asked for. Returns what asked, for the log.
    func wait() -> String
}

/// SIGTERM and SIGINT, taken by the thread that waits for them.
///
/// No handler runs anywhere: the signals are blocked in every thread and fetched with sigwait.
package struct TerminationSignals: TerminationSource {
    /// Blocks the signals for the calling thread and all that it starts from now on, and ignores SIGPIPE.
    ///
    /// Call it in the main thread before any other thread exists.
    package init() {
        signal(SIGPIPE, SIG_IGN)
        var set = Self.set
        pthread_sigmask(SIG_BLOCK, &set, nil)
    }

    package func wait() -> String {
        var set = Self.set
        var number: Int32 = 0
        while sigwait(&set, &number) != 0 {}
        Self.limitShutdown()
        return number == SIGINT ? "SIGINT" : "SIGTERM"
    }

    /// From now on a second signal ends the process at once, unless it comes within a second or two: a wrapper that passes
    /// signals on delivers one request twice. An alarm ends it in any case after ``shutdownSeconds``.
    private static func limitShutdown() {
        var alarms = sigset_t()
        sigemptyset(&alarms)
        sigaddset(&alarms, SIGALRM)
        firstSignalSecond = monotonicSecond()
        signal(SIGALRM, endNow)
        signal(SIGTERM, endNow)
        signal(SIGINT, endNow)
        pthread_sigmask(SIG_UNBLOCK, &alarms, nil)
        var set = Self.set
        pthread_sigmask(SIG_UNBLOCK, &set, nil)
        alarm(Self.shutdownSeconds)
    }

    /// Most time between the signal and the end of the process.
    package static let shutdownSeconds: UInt32 = 4

    private static var set: sigset_t {
        var set = sigset_t()
        sigemptyset(&set)
        sigaddset(&set, SIGTERM)
        sigaddset(&set, SIGINT)
        return set
    }
}

/// Ends without running anything further: leases and holds die with the process, the segment is replaced by the next.
private func endNow(_ number: Int32) {
    if number != SIGALRM, monotonicSecond() - firstSignalSecond < 2 { return }
    let line: StaticString = "lmcache: shutdown cut short\n"
    _ = line.withUTF8Buffer { write(STDERR_FILENO, $0.baseAddress, $0.count) }
    _exit(number == SIGALRM ? 0 : 128 + number)
}

/// Written once before the handlers that read it are set.
nonisolated(unsafe) private var firstSignalSecond = 0

/// May be called by a signal handler.
private func monotonicSecond() -> Int {
    var time = timespec()
    clock_gettime(CLOCK_MONOTONIC, &time)
    return time.tv_sec
}
