// lmcache · SPDX-License-Identifier: Apache-2.0

internal import Glibc
internal import NativeThreads
internal import Synchronization

/// A server on this machine's loopback that does what a test says, byte by byte.
package final class ScriptedServer: Sendable {
    /// What one connection does; they are numbered from 0. The connection is closed when it returns.
    package typealias Script = @Sendable (_ number: Int, _ peer: ScriptedPeer) -> Void

    package let port: UInt16
    private let listener: Int32
    private let script: Script
    private let state = Mutex(State())
    private let acceptor: Mutex<NativeThread?>

    private struct State {
        var accepted = 0
        var threads: [NativeThread] = []
        var peers: [ScriptedPeer] = []
        var isStopped = false
    }

    /// Listens, on a free port unless one is given.
    package init(port: UInt16 = 0, _ script: @escaping Script) {
        self.listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        self.script = script
        self.acceptor = Mutex(nil)
        var on: Int32 = 1
        setsockopt(self.listener, SOL_SOCKET, SO_REUSEADDR, &on, socklen_t(MemoryLayout<Int32>.size))
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let descriptor = self.listener
        let bound = withUnsafeMutablePointer(to: &address) { place in
            place.withMemoryRebound(to: sockaddr.self, capacity: 1) { raw in
                bind(descriptor, raw, length) == 0 && listen(descriptor, 64) == 0
                    && getsockname(descriptor, raw, &length) == 0
            }
        }
        precondition(bound, "no port to listen on: errno \(errno)")
        self.port = UInt16(bigEndian: address.sin_port)
        let thread = NativeThread(name: "scripted") { @Sendable [weak self] in
            while true {
                let connection = accept(descriptor, nil, nil)
                guard connection >= 0 else { return }
                guard let self, self.take(connection) else {
                    close(connection)
                    return
                }
            }
        }
        self.acceptor.withLock { $0 = thread }
    }

    deinit { self.stop() }

    /// Connections so far.
    package var accepted: Int { self.state.withLock { $0.accepted } }

    /// Ends every connection and stops listening. Waits for the scripts.
    package func stop() {
        let (peers, threads, wasStopped) = self.state.withLock { state in
            defer {
                state.isStopped = true
                state.threads = []
            }
            return (state.peers, state.threads, state.isStopped)
        }
        guard !wasStopped else { return }
        shutdown(self.listener, Int32(SHUT_RDWR))
        self.acceptor.withLock { $0 }?.join()
        close(self.listener)
        for peer in peers { peer.interrupt() }
        for thread in threads { thread.join() }
    }

    private func take(_ connection: Int32) -> Bool {
        let script = self.script
        return self.state.withLock { state in
            guard !state.isStopped else { return false }
            let (number, peer) = (state.accepted, ScriptedPeer(connection))
            state.accepted += 1
            state.peers.append(peer)
            state.threads.append(
                NativeThread(name: "scripted-\(number)") { @Sendable in
                    script(number, peer)
                    peer.close()
                })
            return true
        }
    }
}

/// One connection of a scripted server. Reads wait for 10 s at most.
package final class ScriptedPeer: Sendable {
    private let state: Mutex<State>

    private struct State {
        var descriptor: Int32
        var input: [UInt8] = []
    }

    fileprivate init(_ descriptor: Int32) {
        var limit = timeval(tv_sec: 10, tv_usec: 0)
        setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
        var on: Int32 = 1
        setsockopt(descriptor, Int32(IPPROTO_TCP), TCP_NODELAY, &on, socklen_t(MemoryLayout<Int32>.size))
        self.state = Mutex(State(descriptor: descriptor))
    }

    /// Sends everything, or as much as the other side takes.
    package func send(_ bytes: [UInt8]) {
        let descriptor = self.state.withLock { $0.descriptor }
        var done = 0
        while done < bytes.count {
            let count = bytes.withUnsafeBytes {
                Glibc.send(descriptor, $0.baseAddress.map { $0 + done }, bytes.count - done, Int32(MSG_NOSIGNAL))
            }
            guard count > 0 else { return }
            done += count
        }
    }

    package func send(_ text: String) { self.send(Array(text.utf8)) }

    /// Takes exactly this many bytes, or nil when the other side has ended.
    package func read(_ count: Int) -> [UInt8]? {
        while true {
            let found: [UInt8]? = self.state.withLock { state in
                guard state.input.count >= count else { return nil }
                defer { state.input.removeFirst(count) }
                return Array(state.input[..<count])
            }
            if let found { return found }
            guard self.receive() else { return nil }
        }
    }

    /// Takes everything up to and including `end`, or nil when the other side has ended.
    package func read(until end: String) -> String? {
        let mark = Array(end.utf8)
        while true {
            let found: String? = self.state.withLock { state in
                guard state.input.count >= mark.count else { return nil }
                for start in 0...(state.input.count - mark.count)
                where state.input[start] == mark[0] && state.input[start..<(start + mark.count)].elementsEqual(mark) {
                    defer { state.input.removeFirst(start + mark.count) }
                    return String(decoding: state.input[..<(start + mark.count)], as: UTF8.self)
                }
                return nil
            }
            if let found { return found }
            guard self.receive() else { return nil }
        }
    }

    /// Ends the connection with a reset instead of an end.
    package func reset() {
        self.state.withLock { state in
            var now = linger(l_onoff: 1, l_linger: 0)
            setsockopt(state.descriptor, SOL_SOCKET, SO_LINGER, &now, socklen_t(MemoryLayout<linger>.size))
        }
        self.close()
    }

    package func close() {
        self.state.withLock { state in
            if state.descriptor >= 0 { Glibc.close(state.descriptor) }
            state.descriptor = -1
        }
    }

    /// Lets reads and writes of the script's thread return.
    fileprivate func interrupt() {
        self.state.withLock { state in
            if state.descriptor >= 0 { shutdown(state.descriptor, Int32(SHUT_RDWR)) }
        }
    }

    private func receive() -> Bool {
        let descriptor = self.state.withLock { $0.descriptor }
        var area = [UInt8](repeating: 0, count: 65_536)
        let count = recv(descriptor, &area, area.count, 0)
        guard count > 0 else { return false }
        self.state.withLock { $0.input += area[..<count] }
        return true
    }
}
