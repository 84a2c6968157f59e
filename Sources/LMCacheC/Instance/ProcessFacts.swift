// lmcache · SPDX-License-Identifier: Apache-2.0

import CacheEngine
import Glibc

/// What the engine wants to know of its process.
enum ProcessFacts {
    /// Clocks and the life of other processes.
    static func engineEnvironment() -> EngineEnvironment {
        let start = ContinuousClock.now
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        return EngineEnvironment(
            now: { ContinuousClock.now - start },
            // EPERM: it runs and belongs to somebody else.
            isProcessAlive: { kill($0, 0) == 0 || errno == EPERM },
            incarnation: Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec))
    }

    /// A variable's value now.
    static func environment(_ name: String) -> String? { getenv(name).map { String(cString: $0) } }

    /// Runs `body`, whose threads will handle no signals: they are the host's business.
    static func withoutSignals<Result>(_ body: () throws(LibraryError) -> Result) throws(LibraryError) -> Result {
        var blocked = sigset_t()
        var before = sigset_t()
        sigfillset(&blocked)
        // Faults cannot wait for another thread.
        for fault in [SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGABRT] { sigdelset(&blocked, fault) }
        pthread_sigmask(SIG_SETMASK, &blocked, &before)
        defer { pthread_sigmask(SIG_SETMASK, &before, nil) }
        return try body()
    }
}
