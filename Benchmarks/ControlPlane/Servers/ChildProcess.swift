// lmcache · SPDX-License-Identifier: Apache-2.0

import Glibc
import Synchronization

/// Group of the child that a signal to this program takes along; 0 for none.
private let runningGroup = Atomic<Int32>(0)

/// A program in a process group of its own. One at a time.
struct ChildProcess {
    let id: pid_t

    /// Starts `arguments[0]`, looked up in PATH, with both output streams in `log`.
    init(_ arguments: [String], log: String) throws(BenchmarkError) {
        var attributes = posix_spawnattr_t()
        posix_spawnattr_init(&attributes)
        defer { posix_spawnattr_destroy(&attributes) }
        posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETPGROUP))
        posix_spawnattr_setpgroup(&attributes, 0)
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0)
        posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, log, O_WRONLY | O_CREAT | O_TRUNC, 0o600)
        posix_spawn_file_actions_adddup2(&actions, STDOUT_FILENO, STDERR_FILENO)
        var pointers: [UnsafeMutablePointer<CChar>?] = arguments.map { strdup($0) }
        defer { for pointer in pointers { free(pointer) } }
        pointers.append(nil)
        var child: pid_t = 0
        let code = posix_spawnp(&child, arguments[0], &actions, &attributes, pointers, environ)
        guard code == 0 else { throw .system(call: "starting \(arguments[0])", code: code) }
        self.id = child
        runningGroup.store(child, ordering: .relaxed)
    }

    /// Its exit status when it has ended.
    func exitStatus() -> Int32? {
        var status: Int32 = 0
        return waitpid(self.id, &status, WNOHANG) == self.id ? status : nil
    }

    /// Asks the whole group to end, and makes it end after 10 s.
    func stop() {
        kill(-self.id, SIGTERM)
        let deadline = ContinuousClock.now + .seconds(10)
        while self.exitStatus() == nil {
            if ContinuousClock.now > deadline {
                kill(-self.id, SIGKILL)
                var status: Int32 = 0
                waitpid(self.id, &status, 0)
                break
            }
            usleep(5_000)
        }
        kill(-self.id, SIGKILL)
        runningGroup.store(0, ordering: .relaxed)
    }

    /// SIGINT, SIGTERM and SIGHUP end the running child first.
    static func stopOnSignals() {
        for number in [SIGINT, SIGTERM, SIGHUP] {
            signal(number) { number in
                let group = runningGroup.load(ordering: .relaxed)
                if group > 0 { endGroup(group) }
                _exit(128 + number)
            }
        }
    }
}

/// Lets a group remove its shared memory, then makes it end. Only calls that a signal handler may make.
private func endGroup(_ group: pid_t) {
    kill(-group, SIGTERM)
    for _ in 0..<500 {
        if waitpid(group, nil, WNOHANG) != 0 { break }
        usleep(10_000)
    }
    kill(-group, SIGKILL)
}
