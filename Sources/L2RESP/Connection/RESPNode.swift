// lmcache · SPDX-License-Identifier: Apache-2.0

internal import L2Storage
internal import Synchronization

/// One server: its idle connections, and when to try for new ones. Any thread.
///
/// Lock: one, around the list of idle connections and the breaker; no call is made under it.
final class RESPNode: Sendable {
    let endpoint: RESPEndpoint
    private let configuration: RESPConfiguration
    private let clock: any L2Clock
    private let log: L2Log
    private let state: Mutex<State>

    private struct State: ~Copyable {
        var idle: [Idle] = []
        var breaker = L2Breaker(RESPNode.pauses)
        var isSaidToFail = false
        var isClosed = false
    }

    /// A connection while nobody uses it.
    private struct Idle: @unchecked Sendable {  // taken out of the list by one thread, which then owns it
        let connection: RESPConnection
    }

    private static let pauses: L2Breaker.Settings = {
        var settings = L2Breaker.Settings()
        settings.failureLimit = 1
        settings.pauseMilliseconds = 50
        settings.longestPauseMilliseconds = 5000
        return settings
    }()

    init(_ endpoint: RESPEndpoint, configuration: RESPConfiguration, clock: any L2Clock, log: L2Log) {
        self.endpoint = endpoint
        self.configuration = configuration
        self.clock = clock
        self.log = log
        self.state = Mutex(State())
    }

    /// Sends commands and takes their answers over one connection.
    ///
    /// What a connection that was idle leaves unanswered is sent once more over a new one: the server may have ended
    /// the old one long ago. Every command of ours may run twice.
    ///
    /// - Returns: One answer for each command; nil where none came.
    func exchange(_ commands: [RESPCommand], deadline: L2Instant?) -> [RESPAnswer?] {
        var answers = [RESPAnswer?](repeating: nil, count: commands.count)
        var first = 0
        while first < commands.count {
            let idle = self.state.withLock { $0.idle.popLast() }
            guard let connection = idle?.connection ?? self.connect(deadline: deadline) else { break }
            let rest = first == 0 ? commands : Array(commands[first...])
            let start = first
            do {
                try connection.exchange(rest, wait: self.wait(for: rest, deadline: deadline)) { index, answer in
                    answers[start + index] = answer
                    first = start + index + 1
                }
                self.keep(connection)
            } catch {
                // A caller that waits shorter than the server may take says nothing about the server.
                let isOverdue = error == .timedOut && self.clock.now() >= deadline ?? L2Instant(nanoseconds: .max)
                self.noteFailure(error, isOfServer: idle == nil && !isOverdue)
                if idle == nil || error == .timedOut { break }
            }
        }
        return answers
    }

    /// Ends what is idle; connections in use end when their exchange does.
    func close() {
        self.state.withLock { $0.isClosed = true }
        self.dropIdle()
    }

    /// Ends idle connections, outside the lock.
    private func dropIdle() {
        let dropped = self.state.withLock { state in
            defer { state.idle = [] }
            return state.idle
        }
        withExtendedLifetime(dropped) {}
    }

    private func keep(_ connection: RESPConnection) {
        let kept = Idle(connection: connection)
        self.state.withLock { state in
            if !state.isClosed { state.idle.append(kept) }
        }
    }

    private func connect(deadline: L2Instant?) -> RESPConnection? {
        let now = self.clock.now()
        guard self.state.withLock({ $0.breaker.request(now: now) }) != .refuse else { return nil }
        do {
            let connection = try self.greeted(now: now, deadline: deadline)
            let wasFailing = self.state.withLock { state in
                state.breaker.succeeded()
                defer { state.isSaidToFail = false }
                return state.isSaidToFail
            }
            if wasFailing { self.log.note("\(self.endpoint) answers again") }
            return connection
        } catch {
            self.noteFailure(error, isOfServer: true)
            return nil
        }
    }

    private func greeted(now: L2Instant, deadline: L2Instant?) throws(RESPConnectionError) -> RESPConnection {
        let configuration = self.configuration
        let limit = now.advanced(milliseconds: UInt64(configuration.connectMilliseconds))
        let wait = SocketWait(
            clock: self.clock, stallMilliseconds: configuration.connectMilliseconds,
            deadline: min(limit, deadline ?? limit))
        let socket = try TCPSocket.connected(to: self.endpoint, wait: wait)
        let transport: any RESPTransport
        if let security = configuration.security {
            transport = try TLSTransport(over: socket, host: self.endpoint.host, security: security, wait: wait)
        } else {
            transport = socket
        }
        let connection = RESPConnection(transport)
        let greeting = configuration.greeting
        guard !greeting.isEmpty else { return connection }
        var refusal: String?
        try connection.exchange(greeting, wait: wait) { _, answer in
            if answer != .simple("OK"), refusal == nil { refusal = "\(answer.words)" }
        }
        if let refusal { throw .refused(refusal) }
        return connection
    }

    private func wait(for commands: [RESPCommand], deadline: L2Instant?) -> SocketWait {
        // A second more for every mebibyte: what is slower than that does not serve.
        let bytes = commands.reduce(0) { $0 + $1.byteCount }
        let limit = UInt64(self.configuration.requestMilliseconds) + UInt64(bytes >> 20) * 1000
        let latest = self.clock.now().advanced(milliseconds: limit)
        return SocketWait(
            clock: self.clock, stallMilliseconds: self.configuration.requestMilliseconds,
            deadline: min(latest, deadline ?? latest))
    }

    private func noteFailure(_ error: RESPConnectionError, isOfServer: Bool) {
        // Others that went quiet with this one would only fail one by one.
        self.dropIdle()
        let now = self.clock.now()
        let isNews = self.state.withLock { state in
            guard isOfServer else { return false }
            state.breaker.failed(now: now)
            defer { state.isSaidToFail = true }
            return !state.isSaidToFail
        }
        if isNews { self.log.note("\(self.endpoint): \(error)") }
    }
}

extension RESPConfiguration {
    /// What every new connection says first; each must be answered with OK.
    var greeting: [RESPCommand] {
        var commands: [RESPCommand] = []
        if !self.password.isEmpty {
            let user = self.username.isEmpty ? [] : [self.username]
            commands.append(RESPCommand(["AUTH"] + user + [self.password]))
        }
        if self.database != 0 { commands.append(RESPCommand(["SELECT", String(self.database)])) }
        return commands
    }
}

extension RESPAnswer {
    /// An answer in a log line, never longer than a line.
    var words: String {
        switch self {
        case .error(let text), .simple(let text): String(text.prefix(200))
        case .none: "nothing"
        case .integer, .bulk, .filled, .wrongLength, .array: "another kind of answer"
        }
    }
}
