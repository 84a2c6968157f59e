// lmcache · SPDX-License-Identifier: Apache-2.0

import Glibc

/// A listening Unix socket with its file, mode 0600.
///
/// libzmq alone would unlink whatever lies at the path, a live server's file too, and leave the mode to the process.
final class SocketFile {
    /// The listening socket. The library closes it once it was given away.
    let descriptor: Int32
    let path: String
    private let device: dev_t
    private let inode: ino_t

    /// Listens at `path`. A file that a dead server left there is replaced; anything else there is an error.
    init(listeningAt path: String, endpoint: String) throws(TransportError) {
        let lock = DirectoryLock(holding: path)
        defer { lock.release() }
        let descriptor = try SocketFile.openSocket()
        do throws(TransportError) {
            try SocketFile.bind(descriptor, to: path, endpoint: endpoint)
        } catch {
            Glibc.close(descriptor)
            throw error
        }
        var status = stat()
        guard listen(descriptor, 512) == 0, lstat(path, &status) == 0 else {
            let reason = ZMQFault.last.text
            Glibc.close(descriptor)
            unlink(path)
            throw .cannotBind(endpoint: endpoint, reason: reason)
        }
        self.descriptor = descriptor
        self.path = path
        self.device = status.st_dev
        self.inode = status.st_ino
    }

    /// Unlinks the file, unless another server has put its own there meanwhile.
    func remove() {
        let lock = DirectoryLock(holding: self.path)
        defer { lock.release() }
        var status = stat()
        guard lstat(self.path, &status) == 0, status.st_dev == self.device, status.st_ino == self.inode else { return }
        unlink(self.path)
    }

    private static func openSocket() throws(TransportError) -> Int32 {
        // Non-blocking, so that the I/O thread never waits for a connection that was given up before its accept.
        let type = Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue) | Int32(SOCK_NONBLOCK.rawValue)
        let descriptor = socket(AF_UNIX, type, 0)
        guard descriptor >= 0 else { throw .system(call: "socket", reason: ZMQFault.last.text) }
        // Before bind: Linux gives the file the socket's mode, so it never exists with a wider one.
        fchmod(descriptor, 0o600)
        return descriptor
    }

    private static func bind(_ descriptor: Int32, to path: String, endpoint: String) throws(TransportError) {
        if self.call(Glibc.bind, descriptor, path) == 0 { return }
        guard errno == EADDRINUSE else { throw .cannotBind(endpoint: endpoint, reason: ZMQFault.last.text) }
        try self.removeStaleFile(at: path, endpoint: endpoint)
        if self.call(Glibc.bind, descriptor, path) == 0 { return }
        if errno == EADDRINUSE { throw .addressInUse(endpoint: endpoint) }
        throw .cannotBind(endpoint: endpoint, reason: ZMQFault.last.text)
    }

    private static func removeStaleFile(at path: String, endpoint: String) throws(TransportError) {
        var status = stat()
        guard lstat(path, &status) == 0 else { return }
        guard status.st_mode & S_IFMT == S_IFSOCK else {
            throw .cannotBind(endpoint: endpoint, reason: "a file that is no socket is at that path")
        }
        let probe = try self.openSocket()
        defer { Glibc.close(probe) }
        if self.call(Glibc.connect, probe, path) == 0 { throw .addressInUse(endpoint: endpoint) }
        switch errno {
        case ECONNREFUSED, ENOENT: break
        case EAGAIN, EINPROGRESS, EPROTOTYPE: throw .addressInUse(endpoint: endpoint)
        default: throw .cannotBind(endpoint: endpoint, reason: ZMQFault.last.text)
        }
        guard unlink(path) == 0 || errno == ENOENT else {
            throw .cannotBind(endpoint: endpoint, reason: "the stale socket file: \(ZMQFault.last.text)")
        }
    }

    private static func call(
        _ function: (Int32, UnsafePointer<sockaddr>?, socklen_t) -> Int32,
        _ descriptor: Int32,
        _ path: String
    ) -> Int32 {
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        // Endpoint.longestPath leaves room for the terminating zero.
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8.prefix($0.count - 1)) }
        return withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                function(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
            }
        }
    }
}
